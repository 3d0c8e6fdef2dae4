"""A whole session of every profile, and each way a session can end, in exact virtual time."""

from __future__ import annotations

from typing import Any

import pytest
from unit.tools.ev import charger as c
from unit.tools.ev.bench import START_S, Bench

from vsecc_host.v2g.exi import app_protocol
from vsecc_host.v2g.exi import din70121 as din
from vsecc_sim.ev.profiles import profile_names
from vsecc_sim.ev.values import Answered, EvEnd, EvPhase, PhaseEntered

NORMAL = [
    "SupportedAppProtocolReq",
    "SessionSetupReq",
    "ServiceDiscoveryReq",
    "ServicePaymentSelectionReq",
    "ContractAuthenticationReq",
    "ChargeParameterDiscoveryReq",
    "CableCheckReq",
    "PreChargeReq",
    "PowerDeliveryReq",
    "CurrentDemandReq",
    "PowerDeliveryReq",
    "WeldingDetectionReq",
    "SessionStopReq",
]
SHUTDOWN = c.status(din.DcEvseStatusCode.EVSE_Shutdown, din.EvseNotification.StopCharging)


@pytest.mark.parametrize("bus", [True, False], ids=["bus", "believes"])
@pytest.mark.parametrize("name", profile_names())
def test_every_profile_ends_as_it_claims_at_a_healthy_charger(name: str, bus: bool) -> None:
    bench = Bench(name, bus=bus, answer_s=0.01)
    ended = bench.run()
    assert ended.end == bench.profile.expected_end
    assert not ended.trouble
    assert bench.charger.names() == NORMAL
    assert len(bench.charger.bodies(din.WeldingDetectionReq)) == bench.profile.ending.weldings
    assert bench.vehicle.battery.soc_percent >= 51.0
    assert bench.vehicle.complaints() == []


def test_phases_pilot_and_contactor_in_order() -> None:
    bench = Bench()
    bench.run()
    phases = [event.phase for event in bench.events if isinstance(event, PhaseEntered)]
    assert phases == [
        EvPhase.SETUP,
        EvPhase.CABLE_CHECK,
        EvPhase.PRE_CHARGE,
        EvPhase.CHARGING,
        EvPhase.STOPPING,
    ]
    assert [state for _, state in bench.pilots] == ["C", "B", "B"]
    assert bench.bus is not None
    assert bench.bus.facts.closings == 1
    assert not bench.bus.contactor_closed


def test_response_times_are_told() -> None:
    bench = Bench(answer_s=0.02)
    bench.run()
    answers = [event for event in bench.events if isinstance(event, Answered)]
    assert answers[0].message == "supportedAppProtocolRes"
    assert len(answers) == len(bench.sent)
    assert all(event.response_s == pytest.approx(0.02) for event in answers)


def test_state_c_stands_before_the_first_cable_check() -> None:
    bench = Bench("ioniq")
    bench.run()
    cable_check_at = next(
        at
        for (at, _), request in zip(bench.sent, bench.charger.requests, strict=True)
        if isinstance(request, din.V2gMessage) and isinstance(request.body, din.CableCheckReq)
    )
    assert bench.pilots[0] == (pytest.approx(cable_check_at - 0.78), "C")


# --- the charger wants to stop ----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "reaction_ms"), [("polestar-2", 39), ("ioniq", 250)])
def test_a_stop_notification_is_obeyed_without_lowering_the_target(name: str, reaction_ms: float) -> None:
    bench = Bench(name)
    bench.charger.change(
        din.CurrentDemandRes, lambda res, nth: res._replace(dc_evse_status=SHUTDOWN) if nth >= 5 else res
    )
    assert bench.run().end is EvEnd.STOPPED_BY_EVSE
    demands = bench.charger.bodies(din.CurrentDemandReq)
    assert len(demands) == 5
    assert demands[-1].ev_target_current.value > 0
    assert bench.gaps_ms("PowerDeliveryReq")[-1] == pytest.approx(reaction_ms)
    stop = bench.charger.bodies(din.PowerDeliveryReq)[-1]
    assert stop.ev_power_delivery_parameter.dc_ev_status.ev_ready is True
    welding = bench.charger.bodies(din.WeldingDetectionReq)[0]
    assert welding.dc_ev_status.ev_ready is False


@pytest.mark.parametrize(
    ("response", "names_after"),
    [
        (din.CableCheckRes, ["SessionStopReq"]),
        (din.PreChargeRes, ["SessionStopReq"]),
        (din.PowerDeliveryRes, ["PowerDeliveryReq", "WeldingDetectionReq", "SessionStopReq"]),
    ],
)
def test_a_shutdown_before_current_flows_ends_in_order(response: type[Any], names_after: list[str]) -> None:
    bench = Bench()
    field = "evse_status" if response is din.PowerDeliveryRes else "dc_evse_status"
    bench.charger.change(response, lambda res, nth: res._replace(**{field: SHUTDOWN}) if nth == 1 else res)
    assert bench.run().end is EvEnd.STOPPED_BY_EVSE
    assert bench.charger.names()[-len(names_after) :] == names_after
    assert not bench.charger.bodies(din.CurrentDemandReq)


def test_an_emergency_opens_the_contactor_before_the_next_request() -> None:
    bench = Bench()
    emergency = c.status(din.DcEvseStatusCode.EVSE_EmergencyShutdown)
    bench.charger.change(
        din.CurrentDemandRes, lambda res, nth: res._replace(dc_evse_status=emergency) if nth == 3 else res
    )
    assert bench.run().end is EvEnd.EMERGENCY_SHUTDOWN
    assert bench.charger.names()[-2:] == ["PowerDeliveryReq", "SessionStopReq"]
    assert not bench.charger.bodies(din.WeldingDetectionReq)


# --- the car gives up -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "least_s", "most_s"), [("model-y", 12.0, 12.1), ("polestar-2", 3.8, 4.1), ("default", 7.0, 7.2)]
)
def test_pre_charge_without_voltage_ends_with_session_stop(name: str, least_s: float, most_s: float) -> None:
    bench = Bench(name)
    bench.charger.bus = None  # reports the target, the cable stays dead
    ended = bench.run()
    assert ended.end is EvEnd.PRE_CHARGE_GAVE_UP
    assert bench.charger.names()[-2:] == ["PreChargeReq", "SessionStopReq"]
    times = [at for (at, _), r in zip(bench.sent, bench.charger.requests, strict=True) if _is(r, "PreCharge")]
    assert least_s <= bench.sent[-1][0] - times[0] <= most_s
    assert bench.bus is not None and bench.bus.facts.closings == 0


def test_the_ioniq_believes_a_reported_voltage_and_closes_on_a_dead_cable() -> None:
    bench = Bench("ioniq")
    bench.charger.bus = None
    ended = bench.run()
    assert ended.end is EvEnd.NO_CURRENT
    assert bench.vehicle.complaints() == ["contactor closed at 358 V difference"]


def test_the_ioniq_bears_ten_minutes_without_current_then_reports_it() -> None:
    bench = Bench("ioniq")
    bench.charger.bus = None
    ended = bench.run()
    assert ended.end is EvEnd.NO_CURRENT
    first = next(
        at for (at, _), r in zip(bench.sent, bench.charger.requests, strict=True) if _is(r, "CurrentDemand")
    )
    assert 600.0 <= bench.sent[-2][0] - first <= 602.0
    stop = bench.charger.bodies(din.PowerDeliveryReq)[-1].ev_power_delivery_parameter.dc_ev_status
    assert stop.ev_error_code is din.DcEvErrorCode.FAILED_ChargingCurrentdifferential
    assert stop.ev_ready is False
    assert bench.charger.names()[-2:] == ["PowerDeliveryReq", "SessionStopReq"]


def test_the_audi_waits_a_minute_for_a_ready_cable_check_then_powers_off() -> None:
    bench = Bench("audi-q4")
    not_ready = c.status(din.DcEvseStatusCode.EVSE_NotReady, isolation=None)
    bench.charger.change(din.CableCheckRes, lambda res, nth: res._replace(dc_evse_status=not_ready))
    assert bench.run().end is EvEnd.CABLE_CHECK_GAVE_UP
    assert bench.charger.names()[-3:] == ["CableCheckReq", "PowerDeliveryReq", "SessionStopReq"]
    assert bench.gaps_ms("PowerDeliveryReq") == [pytest.approx(59_500)]


@pytest.mark.parametrize("name", ["ioniq", "model-y", "polestar-2"])
def test_other_cars_go_on_after_an_unready_cable_check(name: str) -> None:
    bench = Bench(name)
    not_ready = c.status(din.DcEvseStatusCode.EVSE_NotReady, isolation=None)
    bench.charger.change(din.CableCheckRes, lambda res, nth: res._replace(dc_evse_status=not_ready))
    assert bench.run().end is EvEnd.CHARGED


@pytest.mark.parametrize(
    ("response", "end", "after_s"),
    [
        (din.ContractAuthenticationRes, EvEnd.AUTHORIZATION_TIMEOUT, 150.0),
        (din.ChargeParameterDiscoveryRes, EvEnd.PARAMETERS_TIMEOUT, 60.0),
        (din.CableCheckRes, EvEnd.CABLE_CHECK_GAVE_UP, 40.0),
    ],
)
def test_ongoing_is_borne_for_a_while(response: type[Any], end: EvEnd, after_s: float) -> None:
    bench = Bench()
    bench.charger.change(response, lambda res, nth: res._replace(evse_processing=c.ONGOING))
    assert bench.run().end is end
    assert bench.charger.names()[-1] == "SessionStopReq"
    assert after_s <= bench.now - START_S <= after_s + 1.0


# --- the charger does wrong -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "limit_s"),
    [(din.ServiceDiscoveryRes, 2.0), (din.CurrentDemandRes, 0.25), (din.PowerDeliveryRes, 2.0)],
)
def test_silence_ends_the_session_after_the_message_timeout(response: type[Any], limit_s: float) -> None:
    bench = Bench()
    bench.charger.change(response, lambda res, nth: None)
    ended = bench.run()
    assert ended.end is EvEnd.MESSAGE_TIMEOUT
    assert ended.at - bench.sent[-1][0] == pytest.approx(limit_s)
    assert not ended.reset
    assert bench.bus is not None and not bench.bus.contactor_closed


def test_the_audi_resets_after_silence() -> None:
    bench = Bench("audi-q4")
    bench.charger.change(din.ServiceDiscoveryRes, lambda res, nth: None)
    ended = bench.run()
    assert ended.reset
    assert ended.at - bench.sent[-1][0] == pytest.approx(2.1)


def test_setup_must_be_done_within_20_s() -> None:
    bench = Bench(changes={"patience": {"message_s": 60.0}})
    bench.charger.change(din.SessionSetupRes, lambda res, nth: None)
    ended = bench.run()
    assert ended.end is EvEnd.SETUP_TIMEOUT
    assert ended.at == pytest.approx(START_S + 20.0)


@pytest.mark.parametrize(
    "response",
    [
        din.SessionSetupRes,
        din.ServiceDiscoveryRes,
        din.ServicePaymentSelectionRes,
        din.ContractAuthenticationRes,
        din.ChargeParameterDiscoveryRes,
        din.CableCheckRes,
        din.PreChargeRes,
        din.PowerDeliveryRes,
        din.CurrentDemandRes,
    ],
)
def test_a_failed_code_ends_the_session_at_once(response: type[Any]) -> None:
    bench = Bench()
    failed = din.ResponseCode.FAILED_SequenceError
    bench.charger.change(response, lambda res, nth: res._replace(response_code=failed))
    ended = bench.run()
    assert ended.end is EvEnd.ANSWER_FAILED
    assert ended.detail == f"{response.__name__} FAILED_SequenceError"
    assert bench.pilots[-1][1] == "B"


def test_a_failed_code_on_the_way_out_keeps_the_end_but_is_told() -> None:
    bench = Bench()
    failed = din.ResponseCode.FAILED
    bench.charger.change(din.WeldingDetectionRes, lambda res, nth: res._replace(response_code=failed))
    ended = bench.run()
    assert ended.end is EvEnd.CHARGED
    assert ended.trouble == ("answer_failed: WeldingDetectionRes FAILED",)


def test_another_session_id_ends_the_session() -> None:
    bench = Bench()

    def change(res: Any, nth: int) -> Any:
        bench.charger.session_id = bytes(8)
        return res

    bench.charger.change(din.CableCheckRes, change)
    ended = bench.run()
    assert ended.end is EvEnd.PROTOCOL_ERROR
    assert "0000000000000000" in ended.detail


def test_a_four_byte_session_id_is_taken() -> None:
    bench = Bench()
    bench.charger.session_id = b"ABCD"
    assert bench.run().end is EvEnd.CHARGED
    assert all(r.header.session_id == b"ABCD" for r in bench.charger.requests[2:])


def test_a_zero_session_id_is_refused() -> None:
    bench = Bench()
    bench.charger.session_id = bytes(8)
    assert bench.run().end is EvEnd.PROTOCOL_ERROR


def test_no_common_protocol() -> None:
    bench = Bench()
    refused = app_protocol.SupportedAppProtocolRes(app_protocol.ResponseCode.Failed_NoNegotiation)
    bench.charger.change(app_protocol.SupportedAppProtocolRes, lambda res, nth: refused)
    assert bench.run().end is EvEnd.NO_COMMON_PROTOCOL


def test_a_choice_the_car_cannot_speak_is_refused() -> None:
    bench = Bench("model-y")
    bench.charger.change(
        app_protocol.SupportedAppProtocolRes, lambda res, nth: res._replace(schema_id=2)
    )  # its vendor's entry
    assert bench.run().end is EvEnd.NO_COMMON_PROTOCOL


def test_without_dc_the_car_leaves_politely() -> None:
    bench = Bench()
    ac = din.EvseSupportedEnergyTransferType.AC_three_phase_core
    bench.charger.change(
        din.ServiceDiscoveryRes,
        lambda res, nth: res._replace(charge_service=res.charge_service._replace(energy_transfer_type=ac)),
    )
    assert bench.run().end is EvEnd.SERVICE_REFUSED
    assert bench.charger.names()[-1] == "SessionStopReq"


# --- people -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after_s", "names"), [(0.3, 1), (5.0, 3)])
def test_the_driver_stops(after_s: float, names: int) -> None:
    bench = Bench(target_soc=100.0)
    bench.charger.change(
        din.CurrentDemandRes, lambda res, nth: (bench.machine.stop(EvEnd.STOPPED_BY_DRIVER), res)[1]
    )
    if names == 1:
        bench.machine.stop(EvEnd.STOPPED_BY_DRIVER)
    assert bench.run().end is EvEnd.STOPPED_BY_DRIVER
    tail = ["PowerDeliveryReq", "WeldingDetectionReq", "SessionStopReq"][-names:]
    assert bench.charger.names()[-names:] == tail
    if names == 3:
        assert bench.charger.bodies(din.CurrentDemandReq)[-1].ev_target_current.value == 0


def test_the_target_falls_to_zero_before_the_car_ends_by_itself() -> None:
    bench = Bench()
    bench.run()
    demands = bench.charger.bodies(din.CurrentDemandReq)
    assert demands[-1].ev_target_current.value == 0
    assert demands[-1].charging_complete is True
    assert bench.bus is not None and bench.bus.facts.worst_opening_a == 0.0


def test_a_full_battery_ends_the_session_before_the_target() -> None:
    bench = Bench(soc=99.0, target_soc=100.0, changes={"battery": {"current_curve": [[0, 50], [99.2, 1]]}})
    assert bench.run().end is EvEnd.CHARGED
    assert bench.vehicle.battery.soc_percent < 100.0


def test_the_target_respects_the_limit_the_charger_tells() -> None:
    bench = Bench(target_soc=60.0, changes={"charging": {"ramp_a_per_s": 1000.0}})
    bench.charger.change(
        din.CurrentDemandRes,
        lambda res, nth: res._replace(evse_maximum_current_limit=c.amperes(32.0)) if nth > 5 else res,
    )
    bench.run()
    targets = [d.ev_target_current.value / 10 for d in bench.charger.bodies(din.CurrentDemandReq)]
    assert max(targets[:5]) == c.MAX_CURRENT_A
    assert targets[8] == 32.0


def _is(request: Any, name: str) -> bool:
    return isinstance(request, din.V2gMessage) and type(request.body).__name__ == f"{name}Req"
