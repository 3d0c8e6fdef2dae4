"""What a replay calls a difference, what it explains, and how it adapts to a pace other than recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from unit.host.v2g.car import handshake, request
from unit.host.v2g.given import MAC, REQUESTS, message

from vsecc_cli.main import main
from vsecc_host.v2g import v2gtp
from vsecc_host.v2g.dc.kinds import Kind as K
from vsecc_host.v2g.exi import Protocol, encode
from vsecc_host.v2g.exi import din70121 as m
from vsecc_host.v2g.exi.app_protocol import ResponseCode as SapCode
from vsecc_host.v2g.exi.app_protocol import SupportedAppProtocolRes
from vsecc_sim.replay.capture import NotReplayable, load
from vsecc_sim.replay.channel import Unreachable, connector
from vsecc_sim.replay.player import replay
from vsecc_sim.replay.report import ReplayReport
from vsecc_sim.virtual_time import run

OK = m.ResponseCode.OK
THEIRS = b"recorded"
OURS = b"\1\2\3\4\5\6\7\x08"
READY = m.DcEvseStatus(m.DcEvseStatusCode.EVSE_Ready, 0, m.EvseNotification.None_)
SETUP = m.SessionSetupRes(m.ResponseCode.OK_NewSessionEstablished, b"\0")
ONGOING, FINISHED = m.EvseProcessing.Ongoing, m.EvseProcessing.Finished


def frame(body: Any, session_id: bytes) -> bytes:
    if isinstance(body, SupportedAppProtocolRes):
        return v2gtp.pack(v2gtp.PayloadType.EXI, encode(Protocol.SAP, body))
    return v2gtp.pack(v2gtp.PayloadType.EXI, encode(Protocol.DIN, message(body, session_id)))


def recorded(path: Path, *pairs: tuple[Any, Any]) -> Path:
    """A capture of handshake, session setup and these (request, answer) pairs, one second apart."""
    start = [
        (handshake(), SupportedAppProtocolRes(SapCode.OK_SuccessfulNegotiation, 1)),
        (request(m.SessionSetupReq(MAC), b"\0"), SETUP),
    ]
    frames, at = [], 10.0
    for asked, answer in [*start, *pairs]:
        raw = asked if isinstance(asked, bytes) else request(asked, THEIRS)
        frames.append({"t": at, "dir": "ev->evse", "kind": "v2gtp", "hex": raw.hex(), "decoded": None})
        if answer is not None:
            told = frame(answer, THEIRS).hex()
            frames.append({"t": at + 0.1, "dir": "evse->ev", "kind": "v2gtp", "hex": told, "decoded": None})
        at += 1.0
    side = {"what": "somebody", "mac": None}
    path.write_text(json.dumps({"ev": side, "evse": side, "tcp": [{"t": 9.9}], "frames": frames}))
    return path


class Station:
    """Answers with what the test lists; None: silence."""

    def __init__(self, *answers: Any) -> None:
        self.answers: list[Any] = [
            SupportedAppProtocolRes(SapCode.OK_SuccessfulNegotiation, 1),
            SETUP,
            *answers,
        ]
        self.requests: list[bytes] = []
        self.closed = False

    async def exchange(self, raw: bytes, timeout_s: float) -> bytes | None:
        self.requests.append(raw)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return None if answer is None else frame(answer, OURS)

    async def close(self) -> None:
        self.closed = True


def play(path: Path, station: Station) -> ReplayReport:
    async def connect() -> Station:
        return station

    return run(replay(load(path), connect))


STOP = (m.SessionStopReq(), m.SessionStopRes(OK))
DISCOVERY = m.ServiceDiscoveryReq()
REFUSED = m.SessionStopRes(m.ResponseCode.FAILED_SequenceError)


def test_equal_answers_differ_in_nothing_and_carry_our_session_id(tmp_path: Path) -> None:
    station = Station(m.SessionStopRes(OK))
    report = play(recorded(tmp_path / "x.json", STOP), station)
    assert report.differences == [] and report.answers == 3 and station.closed
    assert station.requests[1] == request(m.SessionSetupReq(MAC), b"\0")
    assert station.requests[2] == request(m.SessionStopReq(), OURS)


@pytest.mark.parametrize(
    ("answer", "difference"),
    [
        (None, "SessionStopReq: no answer in time"),
        (REFUSED, "SessionStopReq: FAILED_SequenceError where the record has OK"),
        (SETUP, "SessionStopReq: SessionSetupRes instead of SessionStopRes"),
    ],
)
def test_differences_that_matter(tmp_path: Path, answer: Any, difference: str) -> None:
    assert play(recorded(tmp_path / "x.json", STOP), Station(answer)).differences == [difference]


@pytest.mark.parametrize("answer", [None, REFUSED])
def test_no_difference_where_the_record_ends_too(tmp_path: Path, answer: Any) -> None:
    path = recorded(tmp_path / "x.json", (m.SessionStopReq(), None), STOP)
    report = play(path, Station(answer))
    assert report.differences == []
    assert report.sessions[0][-1].notes


def test_a_request_that_does_not_decode_is_a_difference(tmp_path: Path) -> None:
    path = recorded(tmp_path / "x.json", (v2gtp.pack(v2gtp.PayloadType.EXI, b"\x80\x9a"), None))
    assert play(path, Station()).differences == ["undecodable: the recorded request does not decode"]


def auth(processing: m.EvseProcessing) -> m.ContractAuthenticationRes:
    return m.ContractAuthenticationRes(OK, processing)


def test_a_faster_station_skips_recorded_repeats(tmp_path: Path) -> None:
    asked = m.ContractAuthenticationReq()
    path = recorded(
        tmp_path / "x.json", (asked, auth(ONGOING)), (asked, auth(ONGOING)), (asked, auth(FINISHED)), STOP
    )
    report = play(path, Station(auth(FINISHED), m.SessionStopRes(OK)))
    assert report.differences == []
    assert [(row.sent, row.skipped) for row in report.sessions[0]] == [(1, 0), (1, 0), (1, 2), (1, 0)]


def test_a_slower_station_is_asked_on(tmp_path: Path) -> None:
    path = recorded(tmp_path / "x.json", (m.ContractAuthenticationReq(), auth(FINISHED)), STOP)
    answers = [auth(ONGOING)] * 5 + [auth(FINISHED), m.SessionStopRes(OK)]
    report = play(path, Station(*answers))
    assert report.differences == []
    assert report.sessions[0][2].repeated == 5


def test_a_station_that_is_never_finished(tmp_path: Path) -> None:
    path = recorded(tmp_path / "x.json", (m.ContractAuthenticationReq(), auth(FINISHED)), STOP)
    report = play(path, Station(auth(ONGOING)))
    assert report.differences == ["ContractAuthenticationReq: still Ongoing after 60 s"]


def voltage(value: int) -> m.PreChargeRes:
    return m.PreChargeRes(OK, READY, m.PhysicalValue(0, value))


@pytest.mark.parametrize(
    ("volts", "differences"),
    [([100, 200, 360], []), ([100], ["PreChargeReq: 100.0 V instead of 376.1 V"])],
)
def test_power_is_asked_for_when_the_voltage_fits(
    tmp_path: Path, volts: list[int], differences: list[str]
) -> None:
    on = (REQUESTS[K.POWER_DELIVERY_ON], m.PowerDeliveryRes(OK, READY))
    path = recorded(tmp_path / "x.json", (REQUESTS[K.PRE_CHARGE], voltage(380)), on)
    answers = [voltage(value) for value in volts]
    if not differences:
        answers.append(m.PowerDeliveryRes(OK, READY))  # type: ignore[arg-type]
    assert play(path, Station(*answers)).differences == differences


def test_an_unreachable_station_is_a_difference(tmp_path: Path) -> None:
    async def connect() -> Station:
        raise Unreachable("refused")

    report = run(replay(load(recorded(tmp_path / "x.json", STOP)), connect))
    assert report.differences == ["supportedAppProtocolReq: refused"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"frames": [{}]}', "\0", "[" * 100_000])
def test_no_capture(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(NotReplayable):
        load(path)


GARBLED = {"t": 1, "dir": "ev->evse", "kind": "v2gtp", "hex": "ff"}
NO_ANSWER_OF_OURS = {"t": 2, "dir": "evse->ev", "kind": "v2gtp", "hex": "ff"}


@pytest.mark.parametrize(
    ("decoded", "name"),
    [
        (None, "undecodable"),
        ({}, "undecodable"),
        ({"V2G_Message": 5}, "V2G_Message"),
        ({"V2G_Message": {"Body": {}}}, "undecodable"),
        ({"V2G_Message": {"Body": {"SessionSetupReq": {}}}}, "SessionSetupReq"),
    ],
)
def test_a_message_nobody_can_read_is_played_all_the_same(tmp_path: Path, decoded: object, name: str) -> None:
    frames = [{**GARBLED, "decoded": decoded}, NO_ANSWER_OF_OURS]
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"ev": {"what": "a"}, "evse": {"what": "b"}, "frames": frames}))
    (session,) = load(path).sessions
    assert session.exchanges[0].told.name == name
    assert session.exchanges[0].answer is not None and session.session_id == b""


@pytest.mark.parametrize("time", ["nan", "inf", 1e308, 10**400])
def test_times_no_clock_shows(tmp_path: Path, time: object) -> None:
    path = tmp_path / "x.json"
    frames = [{**GARBLED, "t": time}]
    path.write_text(json.dumps({"ev": {"what": "a"}, "evse": {"what": "b"}, "frames": frames}))
    with pytest.raises(NotReplayable):
        load(path)


@pytest.mark.parametrize("url", ["tcp://", "tcp://host", "http://host:1", "sdp:", "host:1"])
def test_wrong_urls_are_named(url: str) -> None:
    with pytest.raises(ValueError, match="://"):
        connector(url)


def test_command_reports_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(recorded(tmp_path / "x.json", STOP))
    assert main(["replay", path, "--to", "tcp://127.0.0.1:1", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["answers"] == 0 and len(report["differences"]) == 1
    assert main(["replay", path, "--to", "tcp://127.0.0.1:1"]) == 1
    assert "1 differences that matter" in capsys.readouterr().out
    assert main(["replay", str(tmp_path / "missing.json")]) == 1
    assert capsys.readouterr().err.startswith("vsecc: ")
