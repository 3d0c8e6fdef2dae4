"""Cars that misbehave in every step, DIN and -2: output safe, port ready, the neighbour charges on."""

from __future__ import annotations

import asyncio

import pytest

from vsecc_host.station.values import Phase
from vsecc_sim import virtual_time
from vsecc_sim.ev.misbehave import Act, Do
from vsecc_sim.ev.values import Step
from vsecc_sim.station import report
from vsecc_sim.station.options import StationOptions
from vsecc_sim.station.station import SimulatedStation

STEPS = [
    Step.HANDSHAKE,
    Step.SESSION_SETUP,
    Step.SERVICE_DISCOVERY,
    Step.PAYMENT_SELECTION,
    Step.AUTHORIZATION,
    Step.CHARGE_PARAMETERS,
    Step.CABLE_CHECK,
    Step.PRE_CHARGE,
    Step.POWER_ON,
    Step.CURRENT_DEMAND,
    Step.POWER_OFF,
    Step.WELDING_DETECTION,
    Step.SESSION_STOP,
]
ON_THE_WAY_OUT = (Step.POWER_OFF, Step.WELDING_DETECTION, Step.SESSION_STOP)
TALKS = [(protocol, step) for protocol in ("din", "iso2") for step in STEPS] + [("iso2", Step.RENEGOTIATE)]
STALL_S = 75.0  # longer than the sequence time-out of 60 s


def acts(step: Step) -> dict[str, Act]:
    """What may go wrong at a step."""
    return {
        "stall": Act(at=step, do=Do.STALL, for_s=STALL_S),
        "garbage": Act(at=step, do=Do.GARBAGE),
        "skip": Act(at=step, do=Do.SKIP, to=Step.CURRENT_DEMAND),
        "wrong session": Act(at=step, do=Do.WRONG_SESSION_ID),
        "hangs up": Act(at=step, do=Do.DISCONNECT),
        "resets": Act(at=step, do=Do.DISCONNECT, reset=True),
        "twice": Act(at=step, do=Do.TWICE),
        "byte by byte": Act(at=step, do=Do.ONE_BYTE),
        "never reads": Act(at=step, do=Do.NEVER_READ),
    }


async def safe_and_free(station: SimulatedStation, what: str) -> None:
    """The wrong car is gone; nothing may be left of it."""
    await station.unplug(1, orderly=False)
    assert not station.mcu.relay(1).closed, what
    assert station.outlets[1].bus.current_a == 0.0, what
    assert station.app.evses[1].v2g.state_name == "closed", what


@pytest.mark.parametrize(("protocol", "step"), TALKS)
def test_whatever_a_car_does_the_port_is_ready_for_the_next(protocol: str, step: Step) -> None:
    async def scene() -> None:
        options = StationOptions(interpreter="cpython", capacity_wh=60_000.0)
        async with SimulatedStation(options) as station:
            station.plug(2, soc_percent=20.0, target_soc_percent=100.0)
            for what, act in acts(step).items():
                enough = 20.02 if step in ON_THE_WAY_OUT else 80.0
                way = (
                    [Act(at=Step.CURRENT_DEMAND, nth=9, do=Do.SKIP, to=step)]
                    if step is Step.RENEGOTIATE
                    else []
                )
                station.plug(1, protocol=protocol, target_soc_percent=enough, misbehave=[*way, act])
                over = asyncio.create_task(station.session_over(1))
                await asyncio.wait([over], timeout=STALL_S + 25.0)
                await safe_and_free(station, f"{protocol}, {step}: {what}")
                await over
            assert station.view(2).phase is Phase.CHARGING
            assert station.view(2).power.current_a > 50.0
            station.plug(1, protocol=protocol, target_soc_percent=20.1)
            await station.session_over(1)
            await station.unplug(1)
            assert report.summary(station)["evses"][0]["soc_end"] >= 20.1
            assert station.outlets[1].result is not None and station.outlets[1].result.goal

    virtual_time.run(scene())


@pytest.mark.parametrize("protocol", ["din", "iso2"])
def test_the_plug_is_pulled_in_every_phase(protocol: str) -> None:
    async def scene() -> None:
        options = StationOptions(interpreter="cpython", capacity_wh=400.0)
        async with SimulatedStation(options) as station:
            station.plug(2, profile="polestar-2")
            for phase in (Phase.CONNECTED, Phase.SETUP, Phase.CABLE_CHECK, Phase.PRE_CHARGE, Phase.CHARGING):
                station.plug(1, protocol=protocol)
                await virtual_time.settle(lambda phase=phase: station.view(1).phase is phase, within_s=30.0)
                await safe_and_free(station, f"{protocol}, {phase}")
            await station.session_over(2)
            assert station.outlets[2].result is not None and station.outlets[2].result.goal
            station.plug(1, protocol=protocol)
            await station.session_over(1)
            await station.unplug(1)
            assert station.outlets[1].result is not None and station.outlets[1].result.goal

    virtual_time.run(scene())


# What the station waits for, and the request the car keeps to itself meanwhile.
WAITS = {
    "handshake": Act(at=Step.HANDSHAKE, do=Do.STALL),
    "session setup": Act(at=Step.SESSION_SETUP, do=Do.STALL),
    "service discovery": Act(at=Step.SERVICE_DISCOVERY, do=Do.STALL),
    "payment selection": Act(at=Step.PAYMENT_SELECTION, do=Do.STALL),
    "authorization": Act(at=Step.AUTHORIZATION, do=Do.STALL),
    "charge parameters": Act(at=Step.CHARGE_PARAMETERS, do=Do.STALL),
    "cable check": Act(at=Step.CABLE_CHECK, do=Do.STALL),
    "pre-charge": Act(at=Step.PRE_CHARGE, do=Do.STALL),
    "pre-charge or power on": Act(at=Step.POWER_ON, do=Do.STALL),
    "current demand, first": Act(at=Step.CURRENT_DEMAND, do=Do.STALL),
    "current demand": Act(at=Step.CURRENT_DEMAND, nth=9, do=Do.STALL),
    "welding or stop": Act(at=Step.WELDING_DETECTION, do=Do.STALL),
    "charge parameters, again": Act(at=Step.CHARGE_PARAMETERS, nth=2, do=Do.STALL),
}


@pytest.mark.parametrize("protocol", ["din", "iso2"])
def test_the_plug_is_pulled_while_the_station_waits_for_any_request(protocol: str) -> None:
    async def scene() -> None:
        options = StationOptions(interpreter="cpython", capacity_wh=60_000.0)
        async with SimulatedStation(options) as station:
            station.plug(2, soc_percent=20.0, target_soc_percent=100.0)
            v2g = station.app.evses[1].v2g
            for state, stall in WAITS.items():
                again = state.endswith("again")
                if again and protocol == "din":
                    continue
                way = [Act(at=Step.CURRENT_DEMAND, nth=9, do=Do.SKIP, to=Step.RENEGOTIATE)] if again else []
                station.plug(1, protocol=protocol, target_soc_percent=20.02, misbehave=[*way, stall])
                await virtual_time.settle(lambda state=state: v2g.state_name == state, within_s=20.0)
                await safe_and_free(station, f"{protocol}, {state}")
            assert station.view(2).phase is Phase.CHARGING
            assert station.view(2).power.current_a > 50.0
            station.plug(1, protocol=protocol, target_soc_percent=20.1)
            await station.session_over(1)
            assert station.outlets[1].result is not None and station.outlets[1].result.goal

    virtual_time.run(scene())
