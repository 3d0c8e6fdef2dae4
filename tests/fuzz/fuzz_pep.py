"""The PEP machine: whatever frames arrive at whatever moment, nothing is raised and memory stays bounded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from fuzz.deadlines import settle
from unit.host.pep.given import CONFIGURATION as FIXED
from unit.host.pep.given import STATUS

from vsecc_host.pep import codec
from vsecc_host.pep.config import PepConfig
from vsecc_host.pep.machine import PepMachine
from vsecc_host.pep.notes import MAX_KINDS
from vsecc_host.pep.versions import PepVersion
from vsecc_host.station import commands as c
from vsecc_host.station.evse import EvseMachine
from vsecc_host.station.values import CpState, Phase, PowerPhase
from vsecc_host.terminals import Terminals

CONFIGURATION = {**FIXED, "floatValues": True}
REFUSAL = {"errorCategory": "inoperative", "errorDetails": "no"}
KINDS = ("reset", "configuration", "cableCheck", "targetValues", "contactorsStatus")
VALUES = (
    None,
    True,
    -1,
    0,
    1e308,
    1e-9,
    2**31,
    10**400,
    "",
    "open",
    [],
    {},
    "\ud800",
    0.5,
    "noImd",
    "standby",
)
_VERSIONS, _PHASES, _STATES = tuple(PepVersion), tuple(Phase), tuple(CpState)
_VIEW = EvseMachine(1).view
_MAX_TICKS = 8


def _templates() -> list[dict[str, object]]:
    """One good message of every kind a PECC may send, and replies to every request."""
    made: list[dict[str, object]] = [
        {"type": "info", "kind": "status", "payload": STATUS},
        {"type": "info", "kind": "event", "payload": {"eventDetails": "x"}},
        {"type": "request", "kind": "getInput", "payload": {"inputIdentifiers": ["d1", "t9"]}},
        {"type": "request", "kind": "setOutput", "payload": {"outputValues": {"d1": 1}}},
        {"type": "request", "kind": "stopCharging", "payload": {}},
    ]
    for kind in KINDS:
        payload = CONFIGURATION if kind == "configuration" else {}
        made.append({"type": "response", "kind": kind, "payload": payload})
        made.append({"type": "error", "kind": kind, "payload": REFUSAL})
    return made


TEMPLATES = _templates()


def seeds() -> Iterator[bytes]:
    """Each frame in turn, 1 s apart, and the commands of a session between them, for every version."""
    for version in range(len(_VERSIONS)):
        frames = b"".join(bytes((100, which, 0, 64)) for which in range(len(TEMPLATES)))
        verbs = b"".join(bytes((what, which, 1, 32)) for what in (0, 8, 16) for which in range(4))
        yield bytes([version]) + frames + verbs + frames


def one_input(data: bytes) -> None:
    """Bytes as a script: what happens next, which message, how bent, after how long."""
    if not data:
        return
    version = _VERSIONS[data[0] % len(_VERSIONS)]
    terminals = Terminals()
    machine = PepMachine(1, PepConfig(accept_no_imd=bool(data[0] & 128)), terminals)
    now = 1.0
    machine.connected(version, now)
    for at in range(1, len(data) - 3, 4):
        what, which, place, value = data[at : at + 4]
        _step(machine, version, what, which, place, value, now)
        now += value / 64
        settle(machine, now, _MAX_TICKS)
        _judge(machine, version)


def _judge(machine: PepMachine, version: PepVersion) -> None:
    """Whatever we say, a PECC of this version understands it; notes are few."""
    _, frames = machine.take()
    for text, _ in frames:
        codec.decode(text, version, "pecc")
    assert len(machine.notes.counts) <= MAX_KINDS
    assert all(note.text.isprintable() for note in machine.notes.take())


def _step(
    machine: PepMachine, version: PepVersion, what: int, which: int, place: int, value: int, now: float
) -> None:
    if what < 8:
        phase = tuple(PowerPhase)[place % 4]
        machine.execute(
            c.PowerTarget(evse_id=1, voltage_v=which * 9.7, current_a=value, soc_percent=place, phase=phase),
            now,
        )
    elif what < 16:
        commands: tuple[c.Command, ...] = (
            c.PowerReset(evse_id=1),
            c.PowerContactors(evse_id=1, closed=bool(place & 1)),
            c.PowerSupervision(evse_id=1, relay_closed=bool(place & 1)),
            c.PowerCableCheck(evse_id=1, voltage_v=float(place)),
        )
        machine.execute(commands[which % 4], now)
    elif what < 24:
        cp, phase_ = _STATES[which % len(_STATES)], _PHASES[place % len(_PHASES)]
        machine.update(replace(_VIEW, cp_state=cp, phase=phase_, remaining_to_full_s=value), now)
    elif what < 26:
        machine.disconnected("fuzz", now)
        machine.connected(version, now)
    else:
        machine.receive(_frame(what, which, place, value), now)


def _frame(what: int, which: int, place: int, value: int) -> str | bytes:
    """A good message, a bent one, a cut one, or raw bytes as text."""
    message = json.loads(json.dumps(TEMPLATES[which % len(TEMPLATES)]))
    if message["type"] != "info":
        message["sequenceNumber"] = value % 24
    if what >= 128:
        target = message["payload"] if what & 1 and message["payload"] else message
        name = sorted(target)[place % len(target)]
        if value % 17:
            target[name] = VALUES[value % len(VALUES)]
        else:
            del target[name]
    text = json.dumps(message)
    if what >= 250:
        return bytes((which, place, value))
    return text[: place % len(text)] if what >= 245 else text
