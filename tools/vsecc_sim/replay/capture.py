"""Recorded sessions as exchanges: each request of the car with the recorded charger's answer, if any."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from vsecc_host.v2g import v2gtp
from vsecc_host.v2g.exi import DecodeError, Protocol, decode
from vsecc_host.v2g.exi import din70121 as m
from vsecc_host.v2g.exi.app_protocol import SupportedAppProtocolReq, SupportedAppProtocolRes

MAX_SECONDS = 1e12  # of a recording's clock, which may count from 1970


class Told(NamedTuple):
    """What matters of a message: its name, response code and processing; `message` if it decodes."""

    name: str
    code: str = ""
    ongoing: bool = False
    message: Any = None

    @property
    def failed(self) -> bool:
        """A negative response code."""
        return self.code.upper().startswith("FAILED")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request; `think_s` is what the car took after the previous answer, `answer` None if none came."""

    request: bytes
    told: Told
    think_s: float
    answer: Told | None


@dataclass(frozen=True, slots=True)
class RecordedSession:
    """One TCP connection with messages in it; `pause_s` is the time since the end of the one before."""

    exchanges: tuple[Exchange, ...]
    pause_s: float
    session_id: bytes  # the recorded charger's


@dataclass(frozen=True, slots=True)
class Capture:
    """A recorded file."""

    name: str
    ev: str
    evse: str
    sessions: tuple[RecordedSession, ...]


class NotReplayable(ValueError):
    """The file is no capture, or holds no request of a car."""


class _Frame(NamedTuple):
    at: float
    from_ev: bool
    raw: bytes
    decoded: Any


def load(path: Path) -> Capture:
    """Read a capture file; NotReplayable when there is nothing to play, OSError when it cannot be read."""
    try:
        content = json.loads(path.read_text("utf-8"))
        frames = [
            _Frame(_seconds(x["t"]), x["dir"] == "ev->evse", bytes.fromhex(x["hex"]), x.get("decoded"))
            for x in content["frames"]
            if x["kind"] == "v2gtp"
        ]
        starts = [_seconds(x["t"]) for x in content.get("tcp", ())]
        ev, evse = str(content["ev"]["what"]), str(content["evse"]["what"])
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise NotReplayable(f"{path.name}: not a recorded session ({error!r})") from error
    sessions = tuple(_sessions(frames, starts))
    if not sessions:
        raise NotReplayable(f"{path.name}: no V2G request of a car in it")
    return Capture(path.stem, ev, evse, sessions)


def read_message(raw: bytes, *, handshake: bool) -> Told | None:
    """What a V2GTP message says; None when it does not decode."""
    frame = v2gtp.parse_datagram(raw)
    if frame is None:
        return None
    try:
        message = decode(Protocol.SAP if handshake else Protocol.DIN, frame.payload)
    except DecodeError:
        return None
    if isinstance(message, SupportedAppProtocolReq):
        return Told("supportedAppProtocolReq", message=message)
    if isinstance(message, SupportedAppProtocolRes):
        return Told("supportedAppProtocolRes", message.response_code.name, message=message)
    body = message.body
    code = getattr(body, "response_code", None)
    ongoing = getattr(body, "evse_processing", None) == m.EvseProcessing.Ongoing
    return Told(type(body).__name__, code.name if code is not None else "", ongoing, message)


def _seconds(value: float | str) -> float:
    """ValueError for what no clock shows."""
    if not abs(seconds := float(value)) < MAX_SECONDS:  # not a number compares false
        raise ValueError(f"time {value!r}")
    return seconds


def _sessions(frames: Sequence[_Frame], starts: Sequence[float]) -> Iterator[RecordedSession]:
    before: float | None = None
    bounds = [*starts, float("inf")] if starts else [float("-inf"), float("inf")]
    for begin, end in pairwise(bounds):
        mine = [frame for frame in frames if begin <= frame.at < end]
        while mine and not mine[0].from_ev:
            mine.pop(0)
        if not mine:
            continue
        exchanges = tuple(_exchanges(mine))
        pause_s = 0.0 if before is None else max(0.0, mine[0].at - before)
        yield RecordedSession(exchanges, pause_s, _session_id(exchanges))
        before = mine[-1].at


def _exchanges(frames: Sequence[_Frame]) -> Iterator[Exchange]:
    last_at = frames[0].at
    for position, frame in enumerate(frames):
        if frame.from_ev:
            following = frames[position + 1] if position + 1 < len(frames) else None
            answer = following if following is not None and not following.from_ev else None
            handshake = position == 0
            told = read_message(frame.raw, handshake=handshake) or Told(_name(frame))
            replied = None
            if answer is not None:
                replied = read_message(answer.raw, handshake=handshake)
                # Two answers of an early pyPLC do not fit the schema; the car took them for OK.
                replied = replied or Told(told.name.replace("Req", "Res"), "OK")
            yield Exchange(frame.raw, told, max(0.0, frame.at - last_at), replied)
        last_at = frame.at


def _name(frame: _Frame) -> str:
    """What the recording's own decoder called a message that ours cannot read."""
    found = frame.decoded
    if isinstance(found, dict) and isinstance(found.get("V2G_Message"), dict):
        found = found["V2G_Message"].get("Body")
    return str(next(iter(found))) if isinstance(found, dict) and found else "undecodable"


def _session_id(exchanges: Sequence[Exchange]) -> bytes:
    for exchange in exchanges:
        answer = exchange.answer
        if answer is not None and answer.name == "SessionSetupRes" and answer.message is not None:
            return bytes(answer.message.header.session_id)
    return b""
