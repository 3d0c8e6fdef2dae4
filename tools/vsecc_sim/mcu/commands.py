"""What other simulators may ask of the emulator, as plain data: the same in-process and across a pipe."""

from __future__ import annotations

import re
from typing import Any

from vsecc_sim.mcu.board import Board
from vsecc_sim.mcu.faults import Fault, inject
from vsecc_sim.mcu.terminals import SUPPLY_MV, ohm_of
from vsecc_sim.plant.pilot import STATE_OHM

Command = dict[str, Any]
_INPUT = re.compile(r"(d|a|dip|t|tr)([1-9])|supply|button|cc1ac|cc1dc")
_COUNTS = {"d": 8, "a": 2, "dip": 4, "t": 9, "tr": 9}
_KNOWN = "d1..d8, a1, a2, t1..t9, tr1..tr9, dip1..dip4, supply, cc1ac, cc1dc, button"
_LARGEST = 1e9  # V, ohm or degrees: nothing a terminal can see
_BROKEN_OHM: dict[str, float | None] = {"open": None, "short": 0.0}


def ev(port: int, *, state: str | None = None, resistance_ohm: float | None = None) -> Command:
    """The car's end of the pilot: a state, or any resistance (None: nothing connected)."""
    if state is not None and (not isinstance(state, str) or state not in STATE_OHM):
        raise ValueError(f"EV state {state!r}: not one of {', '.join(STATE_OHM)}")
    return {"do": "ev", "port": port, "state": state, "ohm": resistance_ohm}


def fault(name: str, target: int, active: bool, value: float | None) -> Command:
    """A fault of `vsecc_sim.mcu.faults`."""
    return {"do": "fault", "name": name, "target": target, "active": active, "value": value}


def inputs(values: dict[str, Any]) -> Command:
    """Inputs by terminal; ValueError for one that is not there or a value it cannot have.

    d1..d8: on/off, or volts. dip1..dip4, button: on/off. a1, a2, supply, cc1ac, cc1dc: volts. t1..t9: degrees
    by the device's formula, tr1..tr9: ohm; either also "open" or "short".
    """
    if not isinstance(values, dict):
        raise ValueError("inputs are terminals with their values")
    for name, value in values.items():
        match = _INPUT.fullmatch(name)
        if not match or (match[1] and int(match[2]) > _COUNTS[match[1]]):
            raise ValueError(f"no input {name}; there are {_KNOWN}")
        if match[1] in ("t", "tr") and isinstance(value, str) and value in _BROKEN_OHM:
            continue
        if not isinstance(value, (bool, int, float)) or not abs(value) <= _LARGEST:
            raise ValueError(f"input {name}: {value!r} is not a number or a boolean")
    return {"do": "inputs", "values": values}


def obey(board: Board, command: Command) -> None:
    """Carries a command out at the board's present time."""
    if command["do"] == "ev":
        port = board.ports[command["port"]]
        port.touch(board.now_us)
        if command["state"] is not None:
            port.line.set_state(command["state"])
        else:
            port.line.resistance_ohm = command["ohm"]
        board.trace.add(board.now_us, f"ev{port.number}", command["state"] or command["ohm"])
    elif command["do"] == "fault":
        inject(board, Fault(command["name"], command["target"], command["active"], command["value"]))
    elif command["do"] == "inputs":
        for name, value in command["values"].items():
            _drive(board, name, value)
    else:
        raise ValueError(f"unknown command {command['do']!r}")


def _drive(board: Board, name: str, value: Any) -> None:
    terminals = board.terminals
    match = _INPUT.fullmatch(name)
    group, index = (match[1], int(match[2]) - 1) if match and match[1] else (name, 0)
    if group == "supply":
        board.set_supply(round(value * 1000))
    elif group == "button":
        terminals.button = bool(value)
    elif group == "cc1ac" or group == "cc1dc":
        terminals.cc1_mv[group == "cc1dc"] = round(value * 1000)
    elif group == "a":
        terminals.analog_mv[index] = round(value * 1000)
    elif group == "dip":
        terminals.dip_switches = _with_bit(terminals.dip_switches, index, bool(value))
    elif group == "d":
        terminals.set_input_mv(
            index, (SUPPLY_MV if value else 0) if isinstance(value, bool) else value * 1000
        )
    elif value in _BROKEN_OHM:
        terminals.sensors_ohm[index] = _BROKEN_OHM[value]
    else:
        terminals.sensors_ohm[index] = float(value) if group == "tr" else ohm_of(value)


def _with_bit(bits: int, index: int, on: bool) -> int:
    return bits | 1 << index if on else bits & ~(1 << index)
