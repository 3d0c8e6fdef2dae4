"""Faults and conditions of the emulated board by name, as scenarios and other simulators ask for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vsecc_sim.mcu.board import PORTS, RELAYS, Board
from vsecc_sim.mcu.bus import CONVERTER, EXPANDER, LOCK_CONVERTER, TEMPERATURE
from vsecc_sim.mcu.terminals import OUTPUTS, ROOM_OHM, SENSORS, SUPPLY_MV
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
    check_target(fault.name, fault.target)
    board.trace.add(board.now_us, f"fault.{fault.name}", (fault.target, fault.active))
    FAULTS[fault.name](board, fault)


def check_target(name: str, target: int) -> None:
    """UnknownFault when a fault cannot concern this port, relay, output or sensor."""
    last = {"relay": len(RELAYS), "output": OUTPUTS, "sensor": SENSORS}.get(
        name.partition("-")[0], len(PORTS)
    )
    if not 1 <= target <= last:
        raise UnknownFault(f"{name}: target {target} is not in 1..{last}")


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


def _chip_dead(*names: str) -> Callable[[Board, Fault], None]:
    def apply(board: Board, fault: Fault) -> None:
        (board.bus_faults.dead.update if fault.active else board.bus_faults.dead.difference_update)(names)

    return apply


def _bus_stuck(board: Board, fault: Fault) -> None:
    board.bus_faults.stuck = int(fault.number(0)) if fault.active else None


def _bus_crc(board: Board, fault: Fault) -> None:
    board.bus_faults.flip_bit = fault.active


def _expander_reset(board: Board, fault: Fault) -> None:
    board.expanders_disturbed = fault.active


def _source_dead(board: Board, fault: Fault) -> None:
    board.source_dead = fault.active


def _sensor(ohm: float | None) -> Callable[[Board, Fault], None]:
    def apply(board: Board, fault: Fault) -> None:
        board.terminals.sensors_ohm[fault.target - 1] = ohm if fault.active else ROOM_OHM

    return apply


def _output_overload(board: Board, fault: Fault) -> None:
    bit = 1 << fault.target - 1
    terminals = board.terminals
    terminals.overloaded = terminals.overloaded | bit if fault.active else terminals.overloaded & ~bit


def _lock_jam(board: Board, fault: Fault) -> None:
    lock = board.locks[fault.target]
    lock.advance(board.now_us)
    lock.jammed = fault.active


def _lock_overload(board: Board, fault: Fault) -> None:
    lock = board.locks[fault.target]
    lock.advance(board.now_us)
    lock.overloaded = fault.active


def _lock_feedback(board: Board, fault: Fault) -> None:
    lock = board.locks[fault.target]
    lock.feedback_broken = fault.active
    lock.feedback_ohm = fault.value


def _button(board: Board, fault: Fault) -> None:
    board.terminals.button = fault.active


def _calibration(board: Board, fault: Fault) -> None:
    board.calibrated = not fault.active


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
    "converter-dead": _chip_dead(CONVERTER),
    "lock-converter-dead": _chip_dead(LOCK_CONVERTER),
    "temperature-converter-dead": _chip_dead(TEMPERATURE),
    "expander-dead": _chip_dead(EXPANDER),
    "expander-reset": _expander_reset,
    "bus-stuck": _bus_stuck,
    "bus-crc": _bus_crc,
    "source-dead": _source_dead,
    "sensor-open": _sensor(None),
    "sensor-short": _sensor(0.0),
    "output-overload": _output_overload,
    "lock-jam": _lock_jam,
    "lock-overload": _lock_overload,
    "lock-feedback": _lock_feedback,
    "button": _button,
    "calibration-missing": _calibration,
}
