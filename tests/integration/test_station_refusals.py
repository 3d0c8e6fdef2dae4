"""Every FAILED code a car can provoke, and requests beyond the limits, at the whole station in DIN and -2."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from unit.host.v2g.given import REQUESTS as DIN_REQUESTS
from unit.host.v2g.given import message as din_message
from unit.host.v2g.iso2.given import REQUESTS as ISO2_REQUESTS
from unit.host.v2g.iso2.given import message as iso2_message

from vsecc_host.power.config import PowerConfig
from vsecc_host.runtime.trace import Frame
from vsecc_host.settings.store import Settings
from vsecc_host.station.events import AuthorizationDecided
from vsecc_host.station.values import Cause, Phase
from vsecc_host.v2g import v2gtp
from vsecc_host.v2g.dc.kinds import Kind
from vsecc_host.v2g.exi import DecodeError, Protocol, decode, encode
from vsecc_host.v2g.exi import din70121 as din
from vsecc_host.wiring import power_config
from vsecc_sim import virtual_time
from vsecc_sim.ev.misbehave import Act, Do
from vsecc_sim.ev.result import EvResult
from vsecc_sim.ev.values import EvEnd, Step, Wrong
from vsecc_sim.station.options import StationOptions
from vsecc_sim.station.station import SimulatedStation

WRONG = Cause.EV_PROTOCOL_ERROR


@dataclass(frozen=True, kw_only=True)
class Case:
    """What the car does, and the answer it must get: "Res CODE", by protocol."""

    acts: tuple[Act, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    din: str = ""
    iso2: str = ""
    cause: Cause = WRONG

    def answer(self, protocol: str) -> str:
        return self.din if protocol == "din" else self.iso2


def cut_short(protocol: str) -> str:
    """A CableCheckReq that lost its tail, as hex of a V2GTP frame."""
    codec, message, requests = {
        "din": (Protocol.DIN, din_message, DIN_REQUESTS),
        "iso2": (Protocol.ISO2, iso2_message, ISO2_REQUESTS),
    }[protocol]
    payload = encode(codec, message(requests[Kind.CABLE_CHECK]))[:-2]
    return v2gtp.pack(v2gtp.PayloadType.EXI, payload).hex()


def skip(at: Step, to: Step, nth: int = 1) -> tuple[Act, ...]:
    return (Act(at=at, do=Do.SKIP, to=to, nth=nth),)


def wrong(at: Step, what: Wrong) -> tuple[Act, ...]:
    return (Act(at=at, do=Do.WRONG, what=what),)


CASES: dict[str, Case] = {
    "unknown session": Case(
        acts=(Act(at=Step.CHARGE_PARAMETERS, do=Do.WRONG_SESSION_ID),),
        din="ChargeParameterDiscoveryRes FAILED_UnknownSession",
        iso2="ChargeParameterDiscoveryRes FAILED_UnknownSession",
    ),
    "out of sequence": Case(
        acts=skip(Step.AUTHORIZATION, Step.CABLE_CHECK),
        din="CableCheckRes FAILED_SequenceError",
        iso2="CableCheckRes FAILED_SequenceError",
    ),
    "energy without a cable check": Case(
        acts=skip(Step.CABLE_CHECK, Step.CURRENT_DEMAND),
        din="CurrentDemandRes FAILED_SequenceError",
        iso2="CurrentDemandRes FAILED_SequenceError",
    ),
    "details of no service": Case(
        acts=skip(Step.PAYMENT_SELECTION, Step.SERVICE_DETAIL),
        iso2="ServiceDetailRes FAILED_ServiceIDInvalid",
    ),
    "payment by contract": Case(
        acts=wrong(Step.PAYMENT_SELECTION, Wrong.PAYMENT),
        din="ServicePaymentSelectionRes FAILED_PaymentSelectionInvalid",
        iso2="PaymentServiceSelectionRes FAILED_PaymentSelectionInvalid",
    ),
    "another service": Case(
        acts=wrong(Step.PAYMENT_SELECTION, Wrong.SERVICE),
        din="ServicePaymentSelectionRes FAILED_ServiceSelectionInvalid",
        iso2="PaymentServiceSelectionRes FAILED_NoChargeServiceSelected",
    ),
    "one service more": Case(
        acts=wrong(Step.PAYMENT_SELECTION, Wrong.EXTRA_SERVICE),
        din="ServicePaymentSelectionRes FAILED_ServiceSelectionInvalid",
        iso2="PaymentServiceSelectionRes FAILED_ServiceSelectionInvalid",
    ),
    "alternating current": Case(
        acts=wrong(Step.CHARGE_PARAMETERS, Wrong.MODE),
        din="ChargeParameterDiscoveryRes FAILED_WrongEnergyTransferType",
        iso2="ChargeParameterDiscoveryRes FAILED_WrongEnergyTransferMode",
    ),
    "parameters of an AC car": Case(
        acts=wrong(Step.CHARGE_PARAMETERS, Wrong.PARAMETERS),
        din="ChargeParameterDiscoveryRes FAILED_WrongChargeParameter",
        iso2="ChargeParameterDiscoveryRes FAILED_WrongChargeParameter",
    ),
    "limits of zero": Case(
        acts=wrong(Step.CHARGE_PARAMETERS, Wrong.LIMITS),
        din="ChargeParameterDiscoveryRes FAILED_WrongChargeParameter",
        iso2="ChargeParameterDiscoveryRes FAILED_WrongChargeParameter",
    ),
    "a battery below our range": Case(
        changes={"charging": {"max_voltage_v": 20.0}},
        din="ChargeParameterDiscoveryRes FAILED_WrongChargeParameter",
        iso2="ChargeParameterDiscoveryRes FAILED_WrongChargeParameter",
        cause=Cause.VOLTAGE_NOT_SUPPORTED,
    ),
    "a schedule nobody offered": Case(
        acts=(Act(at=Step.POWER_ON, do=Do.WRONG_SCHEDULE),),
        iso2="PowerDeliveryRes FAILED_TariffSelectionInvalid",
    ),
    "a second start": Case(
        acts=skip(Step.CURRENT_DEMAND, Step.POWER_ON, nth=9),
        din="PowerDeliveryRes FAILED",
        iso2="PowerDeliveryRes FAILED",
    ),
    "renegotiation before power": Case(
        acts=skip(Step.PRE_CHARGE, Step.RENEGOTIATE, nth=2), iso2="PowerDeliveryRes FAILED"
    ),
    "a pause before power": Case(
        acts=(*skip(Step.CABLE_CHECK, Step.SESSION_STOP), *wrong(Step.SESSION_STOP, Wrong.PAUSE)),
        iso2="SessionStopRes FAILED",
    ),
}


async def charging(station: SimulatedStation, evse: int) -> None:
    await virtual_time.settle(
        lambda: station.view(evse).phase is Phase.CHARGING and station.view(evse).power.current_a > 50.0
    )


async def result_of(station: SimulatedStation) -> EvResult:
    """The car's own view of its session at outlet 1."""
    await station.session_over(1)
    result = station.outlets[1].result
    assert result is not None
    return result


async def off(station: SimulatedStation) -> None:
    """The session is over and the relay open, soon."""
    await virtual_time.settle(lambda: station.view(1).phase is Phase.FINISHED, within_s=7.0)
    await virtual_time.settle(lambda: not station.mcu.relay(1).closed, within_s=0.2)


async def next_car_charges(station: SimulatedStation, protocol: str) -> None:
    station.plug(1, protocol=protocol, target_soc_percent=20.1)
    result = await result_of(station)
    assert result.goal, result
    await station.unplug(1)


@pytest.mark.parametrize("protocol", ["din", "iso2"])
def test_each_failed_code_reaches_the_car_that_provokes_it(protocol: str) -> None:
    async def scene() -> None:
        options = StationOptions(interpreter="cpython", capacity_wh=60_000.0)
        async with SimulatedStation(options) as station:
            station.plug(2, soc_percent=20.0, target_soc_percent=100.0)
            await charging(station, 2)
            cut = Act(at=Step.CABLE_CHECK, do=Do.GARBAGE, hex=cut_short(protocol))
            cases = CASES | {"cut short": Case(acts=(cut,), **{protocol: "CableCheckRes FAILED"})}
            for name, case in cases.items():
                expected = case.answer(protocol)
                if not expected:
                    continue
                station.plug(1, protocol=protocol, misbehave=case.acts, changes=case.changes)
                result = await result_of(station)
                assert (result.end, result.detail) == (EvEnd.ANSWER_FAILED, expected), (name, result)
                await off(station)
                assert station.view(1).cause is case.cause, name
                await station.unplug(1, orderly=False)
                assert station.view(2).phase is Phase.CHARGING, name
            await next_car_charges(station, protocol)

    virtual_time.run(scene())


@pytest.mark.parametrize("protocol", ["din", "iso2"])
def test_a_car_nobody_authorises_is_told(protocol: str) -> None:
    async def scene() -> None:
        options = StationOptions(interpreter="cpython", capacity_wh=60_000.0)
        async with SimulatedStation(options, settings={("AuthCtrlr", "Enabled"): True}) as station:
            station.plug(1, protocol=protocol)
            await virtual_time.settle(lambda: station.app.evses[1].v2g.state_name == "authorization")
            at = asyncio.get_running_loop().time()
            no = AuthorizationDecided(at=at, evse_id=1, accepted=False, who="test")
            station.app.publish(no, station.app.trace.new_cause())
            result = await result_of(station)
            name = "ContractAuthenticationRes" if protocol == "din" else "AuthorizationRes"
            assert (result.end, result.detail) == (EvEnd.ANSWER_FAILED, f"{name} FAILED")
            await virtual_time.settle(lambda: station.view(1).phase is Phase.FINISHED)
            assert station.view(1).cause is Cause.NOT_AUTHORIZED

    virtual_time.run(scene())


@pytest.mark.parametrize(
    ("protocol", "code"),
    [("din", "FAILED_EVSEPresentVoltageToLow"), ("iso2", "FAILED_PowerDeliveryNotApplied")],
)
def test_a_car_that_starts_without_voltage_is_told(
    protocol: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(settings: Settings, evse: int) -> PowerConfig:
        """Power electronics that take nine seconds to the voltage of the battery."""
        return replace(power_config(settings, evse), voltage_ramp_v_per_s=40.0)

    async def scene() -> None:
        options = StationOptions(interpreter="cpython", capacity_wh=60_000.0)
        async with SimulatedStation(options) as station:
            station.plug(
                1,
                protocol=protocol,
                misbehave=skip(Step.PRE_CHARGE, Step.POWER_ON, nth=2),
                changes={
                    "think_ms": {"pre_charge": 15_000.0}
                },  # the voltage of the cable check has to go first
            )
            result = await result_of(station)
            assert (result.end, result.detail) == (EvEnd.ANSWER_FAILED, f"PowerDeliveryRes {code}")
            await virtual_time.settle(lambda: station.view(1).phase is Phase.FINISHED)
            assert station.view(1).cause is Cause.PRE_CHARGE_TIMEOUT

    monkeypatch.setattr("vsecc_host.app.power_config", slow)
    virtual_time.run(scene())


# --- requests beyond the limits -------------------------------------------------------------------------

LIMIT_A, LIMIT_W, LIMIT_V = 100.0, 60_000.0, 500.0
ABORT_CURRENT = ("ChargingCommunicationCtrlr", "AbortOnInvalidRequestCurrent")
ABORT_POWER = ("ChargingCommunicationCtrlr", "AbortOnInvalidRequestPower")


@dataclass(frozen=True, kw_only=True)
class Beyond:
    """What is asked in the loop; `aborts` names the settings of which one must be true, None: always."""

    current_a: float | None = None
    voltage_v: float | None = None
    power_w: float | None = None
    aborts: tuple[tuple[str, str], ...] | None = None
    cause: Cause = Cause.LIMITS_EXCEEDED

    def act(self) -> Act:
        return Act(
            at=Step.CURRENT_DEMAND,
            do=Do.BEYOND,
            nth=80,
            current_a=self.current_a,
            voltage_v=self.voltage_v,
            power_w=self.power_w,
        )


# The car's battery holds about 360 V: 112 A are 40 kW, below what a cable of 100 A gives at 450 V. Where the
# power limit is the tighter one the told current follows it: a request beyond it is beyond both.
BEYOND: dict[str, tuple[Beyond, float]] = {  # and the power limit of that outlet
    "current": (Beyond(current_a=112.0, aborts=(ABORT_CURRENT,)), LIMIT_W),
    "power": (Beyond(current_a=90.0, aborts=(ABORT_CURRENT, ABORT_POWER)), 20_000.0),
    "both": (Beyond(power_w=80_000.0, aborts=(ABORT_CURRENT, ABORT_POWER)), 20_000.0),
    "a voltage above ours": (Beyond(voltage_v=520.0, cause=Cause.VOLTAGE_NOT_SUPPORTED), LIMIT_W),
    "a voltage below ours": (Beyond(voltage_v=30.0, cause=Cause.VOLTAGE_NOT_SUPPORTED), LIMIT_W),
}


@pytest.mark.parametrize("protocol", ["din", "iso2"])
@pytest.mark.parametrize("abort_current", [True, False])
@pytest.mark.parametrize("abort_power", [True, False])
@pytest.mark.parametrize("name", BEYOND)
def test_requests_beyond_the_limits(protocol: str, abort_current: bool, abort_power: bool, name: str) -> None:
    beyond, max_power_w = BEYOND[name]
    settings = {ABORT_CURRENT: abort_current, ABORT_POWER: abort_power}

    async def scene() -> None:
        options = StationOptions(interpreter="cpython", capacity_wh=60_000.0)
        async with SimulatedStation(options, settings=settings) as station:
            station.settings.set("Cable", "MaxCurrent", LIMIT_A, evse=1)
            station.settings.set("Cable", "MaxVoltage", LIMIT_V, evse=1)
            station.settings.set("EVSE", "MaxPower", max_power_w, evse=1)
            station.plug(2, soc_percent=20.0, target_soc_percent=100.0)
            most: list[tuple[float, float]] = []
            station.plug(1, protocol=protocol, misbehave=[beyond.act()], target_soc_percent=20.5)
            await charging(station, 1)
            over = asyncio.create_task(result_of(station))
            while not over.done():
                power = station.view(1).power
                most.append((power.current_a, power.voltage_v * power.current_a))
                await asyncio.sleep(0.1)
            result = await over
            if beyond.aborts is None or any(settings[key] for key in beyond.aborts):
                assert (result.end, result.detail) == (EvEnd.ANSWER_FAILED, "CurrentDemandRes FAILED"), result
                await off(station)
                assert station.view(1).cause is beyond.cause
            else:
                assert result.goal, result
            # never more than was told, whatever was asked
            assert max(amperes for amperes, _ in most) <= LIMIT_A * 1.01
            assert max(watts for _, watts in most) <= max_power_w * 1.02
            assert station.view(2).phase is Phase.CHARGING

    virtual_time.run(scene())


@pytest.mark.parametrize("refuses", [True, False])
def test_a_plan_above_the_offered_schedule(refuses: bool, caplog: pytest.LogCaptureFixture) -> None:
    profile = ("ChargingCommunicationCtrlr", "AbortOnInvalidChargingProfile")
    settings = {profile: refuses, ABORT_CURRENT: False, ABORT_POWER: False}

    async def scene() -> None:
        options = StationOptions(interpreter="cpython", capacity_wh=60_000.0)
        async with SimulatedStation(options, settings=settings) as station:
            plans = Act(at=Step.POWER_ON, do=Do.BEYOND, power_w=300_000.0)
            station.plug(1, protocol="iso2", misbehave=[plans], target_soc_percent=20.1)
            result = await result_of(station)
            if refuses:
                expected = "PowerDeliveryRes FAILED_ChargingProfileInvalid"
                assert (result.end, result.detail) == (EvEnd.ANSWER_FAILED, expected), result
                await off(station)
                assert station.view(1).cause is Cause.LIMITS_EXCEEDED
                await station.unplug(1, orderly=False)
                await next_car_charges(station, "iso2")
            else:
                assert result.goal, result
                assert "EVSE 1: the car plans 300000 W, it was offered 150000 W" in caplog.text

    with caplog.at_level("INFO"):
        virtual_time.run(scene())


# --- what DIN cars are offered --------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["DC_core", "DC_extended"])
def test_din_cars_are_offered_the_configured_mode_and_charge(mode: str) -> None:
    async def scene() -> None:
        options = StationOptions(interpreter="cpython", capacity_wh=60_000.0)
        async with SimulatedStation(options) as station:
            station.settings.set("Connector", "DinChargingMode", mode, evse=1)
            offered: dict[int, str] = {}

            def see(record: object) -> None:
                if isinstance(record, Frame) and record.layer == "v2gtp" and record.direction == "tx":
                    with suppress(DecodeError):
                        body = decode(Protocol.DIN, record.raw[v2gtp.HEADER_SIZE :]).body
                        if isinstance(body, din.ServiceDiscoveryRes):
                            offered[record.evse_id] = body.charge_service.energy_transfer_type.name

            station.app.trace.listen(see)
            station.plug(1, protocol="din", target_soc_percent=20.1)
            station.plug(2, protocol="din", target_soc_percent=20.1)
            for evse in (1, 2):
                await station.session_over(evse)
                result = station.outlets[evse].result
                assert result is not None and result.goal, result
            assert offered == {1: mode, 2: "DC_extended"}

    virtual_time.run(scene())
