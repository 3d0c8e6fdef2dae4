"""Faults of the PECC in every phase of a session: a whole station in virtual time, PEP over sockets."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vsecc_host.station.values import Cause, Phase
from vsecc_sim import virtual_time
from vsecc_sim.pecc.point import ChargePoint
from vsecc_sim.pecc.rules import Weight
from vsecc_sim.station.options import StationOptions
from vsecc_sim.station.station import SimulatedStation
from vsecc_sim.station.verbs import Verbs

PHASES = ("idle", "connected", "cable check", "pre-charge", "charging", "stopping")
REACHED = {
    "connected": Phase.CONNECTED,
    "cable check": Phase.CABLE_CHECK,
    "pre-charge": Phase.PRE_CHARGE,
    "charging": Phase.CHARGING,
    "stopping": Phase.STOPPING,
}
SESSION_S = 75.0  # a session of a small battery, or the longest way out of one
BLOCKED_S = 25.0  # no V2G session so long after plugging in: the outlet does not take cars
HEALED_S = 60.0  # reconnecting and settling
ENOUGH_PERCENT = 20.3  # of the default car's 60 kWh: a few seconds of charging
BRISK = Path(__file__).with_name("brisk_pecc.toml")
SLOW_CAR = str(Path(__file__).with_name("slow_car.toml"))  # asks twice a second: keeps the matrix affordable


@dataclass(frozen=True)
class Cell:
    """What became of one fault in one phase."""

    outcome: str  # "charged", "goes on", "blocked: <cause>", or the cause the station ended it with
    opening_a: float  # current the charger's contactors opened under, if any
    relay_open: bool
    dead: bool  # no voltage above touch level, no current
    broken: tuple[str, ...]  # rules of conduct
    neighbour_a: float


def options() -> StationOptions:
    return StationOptions(interpreter="cpython", pecc=("sim://pep",), pep_version="auto", pecc_scenario=BRISK)


async def run_fault(
    fault: str, phases: tuple[str, ...] = PHASES, protocol: str = "din", car: str = SLOW_CAR
) -> dict[str, Cell]:
    """One station, the neighbour charges; the fault comes in each phase and goes again."""
    cells = {}
    async with SimulatedStation(options()) as station:
        station.plug(2, profile=SLOW_CAR, soc_percent=20.0, target_soc_percent=100.0)
        await charging(station, 2)
        for phase in phases:
            cells[phase] = await _cell(station, fault, phase, protocol, car)
        plug(station, protocol, car)
        cells["the next car"] = Cell(await outcome_of(station), 0.0, True, True, (), 0.0)
    return cells


async def charging(station: SimulatedStation, evse: int) -> None:
    """Until energy flows."""
    await virtual_time.settle(
        lambda: station.view(evse).phase is Phase.CHARGING and station.view(evse).power.current_a > 50.0,
        within_s=60.0,
    )


async def _cell(station: SimulatedStation, fault: str, phase: str, protocol: str, car: str) -> Cell:
    verbs = Verbs(station).table
    point = _point(station)
    point.stage.worst_opening_a = 0.0
    known = len(point.conduct.findings)
    if phase != "idle":
        plug(station, protocol, car)
        await reach(station, phase)
    verbs["fault"]({"evse": 1, "code": fault})
    if phase == "idle":
        await asyncio.sleep(2.0)
        plug(station, protocol, car)
    outcome = await outcome_of(station)
    opening_a = point.stage.worst_opening_a
    await asyncio.sleep(1.0)
    relay_open = outcome == "goes on" or not station.mcu.relay(1).closed
    verbs["fault"]({"evse": 1, "code": fault, "active": False})
    await station.outlets[1].unplug(orderly=False)
    dead = point.stage.current_a == 0.0
    await virtual_time.settle(
        lambda: station.view(1).phase is Phase.IDLE and point.linked, within_s=HEALED_S, step_s=0.1
    )
    broken = tuple(f.rule for f in point.conduct.findings[known:] if f.weight is Weight.RULE)
    return Cell(outcome, round(opening_a, 1), relay_open, dead, broken, station.view(2).power.current_a)


def plug(station: SimulatedStation, protocol: str, car: str = SLOW_CAR) -> None:
    """A car with a little to charge."""
    station.plug(1, profile=car, protocol=protocol, soc_percent=20.0, target_soc_percent=ENOUGH_PERCENT)


async def reach(station: SimulatedStation, phase: str) -> None:
    """Until the session of outlet 1 is there."""
    if phase == "charging":
        await charging(station, 1)
        return
    await virtual_time.settle(lambda: station.view(1).phase is REACHED[phase], within_s=60.0)


async def outcome_of(station: SimulatedStation) -> str:
    """How the session at outlet 1 went."""
    over = asyncio.create_task(station.session_over(1))
    record = station.recorder.outlets[1]
    with suppress(TimeoutError):
        await virtual_time.settle(lambda: bool(record.protocol) or over.done(), within_s=BLOCKED_S)
    if not record.protocol:
        over.cancel()
        return f"blocked: {station.view(1).cause}"
    await asyncio.wait([over], timeout=SESSION_S)
    if not over.done():
        over.cancel()
        return "goes on"
    await virtual_time.settle(
        lambda: station.view(1).phase in (Phase.FINISHED, Phase.FAULTED, Phase.CONNECTED), within_s=30.0
    )
    result = station.outlets[1].result
    if result is not None and result.goal:
        return "charged"
    return str(record.end if record.end is not Cause.NONE else station.view(1).cause)


def _point(station: SimulatedStation) -> ChargePoint:
    assert station.pecc is not None
    return station.pecc.point(1)
