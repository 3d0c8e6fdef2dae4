"""What other simulators may ask of the emulator, as plain data: the same in-process and across a pipe."""

from __future__ import annotations

import re
from typing import Any

from vsecc_sim.mcu.board import Board
from vsecc_sim.mcu.faults import Fault, inject
from vsecc_sim.plant.pilot import STATE_OHM

Command = dict[str, Any]
_INPUT = re.compile(r"(d|a|dip)([1-8])|supply")


def ev(port: int, *, state: str | None = None, resistance_ohm: float | None = None) -> Command:
    """The car's end of the pilot: a state, or any resistance (None: nothing connected)."""
    if state is not None and state not in STATE_OHM:
        raise ValueError(f"EV state {state!r}: not one of {', '.join(STATE_OHM)}")
    return {"do": "ev", "port": port, "state": state, "ohm": resistance_ohm}


def fault(name: str, target: int, active: bool, value: float | None) -> Command:
    """A fault of `vsecc_sim.mcu.faults`."""
    return {"do": "fault", "name": name, "target": target, "active": active, "value": value}


def inputs(values: dict[str, Any]) -> Command:
    """Inputs by terminal: d1..d8 and dip1..dip4 (on/off), a1, a2 and supply (volts)."""
    for name, value in values.items():
        match = _INPUT.fullmatch(name)
        limit = {"d": 8, "a": 2, "dip": 4}.get(match[1] or "", 0) if match else 0
        if not match or (match[2] and int(match[2]) > limit):
            raise ValueError(f"no input {name}; there are d1..d8, a1, a2, dip1..dip4, supply")
        if not isinstance(value, (bool, int, float)):
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


def _drive(board: Board, name: str, value: float) -> None:
    terminals = board.terminals
    if name == "supply":
        board.set_supply(round(value * 1000))
    elif name.startswith("a"):
        terminals.analog_mv[int(name[1:]) - 1] = round(value * 1000)
    elif name.startswith("dip"):
        terminals.dip_switches = _with_bit(terminals.dip_switches, int(name[3:]) - 1, bool(value))
    else:
        terminals.digital_inputs = _with_bit(terminals.digital_inputs, int(name[1:]) - 1, bool(value))


def _with_bit(bits: int, index: int, on: bool) -> int:
    return bits | 1 << index if on else bits & ~(1 << index)
