"""Faults and conditions of the emulated board by name, as scenarios and other simulators ask for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vsecc_sim.mcu.board import SUPPLY_MV, Board
from vsecc_sim.plant.pilot import PLUG_OHM


class UnknownFault(ValueError):
    """No fault of that name, or a target the board does not have."""


@dataclass(frozen=True, slots=True)
class Fault:
    """`target` is a port or relay number, `value` what the fault needs (ohm, mV, ppm, ms)."""

    name: str
    target: int = 1
    active: bool = True
    value: float | None = None

    def number(self, default: float) -> float:
        """The value, or the default when none was given."""
        return default if self.value is None else self.value


def inject(board: Board, fault: Fault) -> None:
    """Applies or removes a fault at the board's present time."""
    if fault.name not in FAULTS:
        raise UnknownFault(f"fault {fault.name!r}: not one of {', '.join(sorted(FAULTS))}")
    parts = board.relays if fault.name.startswith("relay-") else board.ports
    if fault.target not in parts:
        raise UnknownFault(f"{fault.name}: target {fault.target} does not exist")
    board.trace.add(board.now_us, f"fault.{fault.name}", (fault.target, fault.active))
    FAULTS[fault.name](board, fault)


def _line_fault(kind: str) -> Callable[[Board, Fault], None]:
    def apply(board: Board, fault: Fault) -> None:
        port = board.ports[fault.target]
        port.touch(board.now_us)
        port.line.set_fault(kind, fault.active)

    return apply


def _pilot_resistance(board: Board, fault: Fault) -> None:
    port = board.ports[fault.target]
    port.touch(board.now_us)
    port.line.resistance_ohm = fault.number(1500.0) if fault.active else None


def _pilot_noise(board: Board, fault: Fault) -> None:
    board.ports[fault.target].line.noise_mv = fault.number(200.0) if fault.active else 0.0


def _pilot_capacitance(board: Board, fault: Fault) -> None:
    port = board.ports[fault.target]
    port.touch(board.now_us)
    port.line.capacitance_pf = fault.number(10_000.0) if fault.active else 1300.0


def _pilot_period(board: Board, fault: Fault) -> None:
    port = board.ports[fault.target]
    port.touch(board.now_us)
    port.period_us = int(fault.number(1100)) if fault.active else 1000


def _proximity(board: Board, fault: Fault) -> None:
    board.ports[fault.target].proximity.resistance_ohm = fault.value if fault.active else PLUG_OHM


def _weld(board: Board, fault: Fault) -> None:
    board.relays[fault.target].set_welded(fault.active, board.now_us)


def _no_close(board: Board, fault: Fault) -> None:
    board.relays[fault.target].no_close = fault.active


def _slow_release(board: Board, fault: Fault) -> None:
    board.relays[fault.target].open_delay_us = int(fault.number(50.0) * 1000) if fault.active else 3000


def _feedback_stuck(board: Board, fault: Fault) -> None:
    board.relays[fault.target].feedback_stuck = bool(fault.number(0)) if fault.active else None


def _pump_stuck(board: Board, fault: Fault) -> None:
    board.relays[fault.target].set_pump_stuck(fault.active, board.now_us)


def _uart_noise(board: Board, fault: Fault) -> None:
    ppm = int(fault.number(1000)) if fault.active else 0
    for noise in (board.uart.noise_to_mcu, board.uart.noise_to_host):
        noise.flip_ppm = noise.drop_ppm = noise.double_ppm = ppm


def _uart_cut(board: Board, fault: Fault) -> None:
    board.uart.noise_to_mcu.cut = board.uart.noise_to_host.cut = fault.active


def _hang(board: Board, fault: Fault) -> None:
    board.hung = fault.active


def _stall(board: Board, fault: Fault) -> None:
    board.stall_us = int(fault.number(50.0) * 1000) if fault.active else 0


def _soft_reset(board: Board, fault: Fault) -> None:
    if fault.active:
        board.soft_reset()


def _raise(kind: str) -> Callable[[Board, Fault], None]:
    def apply(board: Board, fault: Fault) -> None:
        board.raises = kind if fault.active else ""

    return apply


def _supply(board: Board, fault: Fault) -> None:
    board.set_supply(int(fault.number(8000)) if fault.active else SUPPLY_MV)


FAULTS: dict[str, Callable[[Board, Fault], None]] = {
    "cp-short": _line_fault("short"),
    "cp-diode": _line_fault("diode"),
    "cp-open": _line_fault("open"),
    "cp-stuck-positive": _line_fault("stuck_positive"),
    "cp-stuck-negative": _line_fault("stuck_negative"),
    "cp-resistance": _pilot_resistance,
    "cp-noise": _pilot_noise,
    "cp-capacitance": _pilot_capacitance,
    "cp-period": _pilot_period,
    "pp-resistance": _proximity,
    "relay-weld": _weld,
    "relay-no-close": _no_close,
    "relay-slow-release": _slow_release,
    "relay-feedback-stuck": _feedback_stuck,
    "relay-pump-stuck": _pump_stuck,
    "uart-noise": _uart_noise,
    "uart-cut": _uart_cut,
    "mcu-hang": _hang,
    "mcu-stall": _stall,
    "mcu-soft-reset": _soft_reset,
    "mcu-exception": _raise("exception"),
    "mcu-console": _raise("console"),
    "supply": _supply,
}
