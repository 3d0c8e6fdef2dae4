"""ISO 15118-2 sessions in exact virtual time: every step, its patience, and each way out."""

from __future__ import annotations

from typing import Any

import pytest
from unit.tools.ev import charger_iso2 as c
from unit.tools.ev.bench import START_S, Bench
from unit.tools.ev.charger import SESSION_ID, PaperCharger
from unit.tools.ev.iso2_bench import NORMAL, Iso2Bench

from vsecc_host.v2g.exi import iso15118_2 as iso2
from vsecc_sim.ev.profiles import profile_names
from vsecc_sim.ev.values import EvEnd

POWER_DELIVERY = iso2.PowerDeliveryReq


@pytest.mark.parametrize("bus", [True, False], ids=["bus", "believes"])
@pytest.mark.parametrize("name", profile_names("iso2"))
def test_every_profile_that_offers_it_charges(name: str, bus: bool) -> None:
    bench = Iso2Bench(name, bus=bus, answer_s=0.01)
    ended = bench.run()
    assert (ended.end, ended.trouble) == (EvEnd.CHARGED, ())
    assert bench.machine.protocol == "iso2"
    assert bench.charger.names() == NORMAL
    assert bench.progress() == [iso2.ChargeProgress.Start, iso2.ChargeProgress.Stop]
    assert bench.charger.bodies(iso2.SessionStopReq) == [iso2.SessionStopReq(iso2.ChargingSession.Terminate)]
    assert bench.vehicle.complaints() == []


@pytest.mark.parametrize("name", ["polestar-2", "audi-q4"])
def test_cars_with_both_speak_din_where_that_is_chosen(name: str) -> None:
    bench = Bench(name, charger=PaperCharger)
    assert bench.run().end is EvEnd.CHARGED
    assert bench.machine.protocol == "din"


def test_what_the_setup_says() -> None:
    bench = Iso2Bench()
    bench.run()
    (parameters,) = bench.charger.bodies(iso2.ChargeParameterDiscoveryReq)
    assert parameters.requested_energy_transfer_mode is iso2.EnergyTransferMode.DC_extended
    assert parameters.ev_charge_parameter.departure_time == 86400
    (selection,) = bench.charger.bodies(iso2.PaymentServiceSelectionReq)
    assert selection.selected_payment_option is iso2.PaymentOption.ExternalPayment
    assert selection.selected_service_list.selected_service == (iso2.SelectedService(1),)
    assert bench.charger.bodies(iso2.AuthorizationReq) == [iso2.AuthorizationReq()]
    assert [r.header.session_id for r in bench.charger.requests[2:]] == [SESSION_ID] * (len(bench.sent) - 2)


# --- services ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asks", [True, False])
def test_details_of_every_extra_service(asks: bool) -> None:
    bench = Iso2Bench(changes={"messages": {"service_detail": asks}})
    extra = tuple(iso2.Service(i, iso2.ServiceCategory.Internet, True) for i in (3, 4))
    bench.charger.change(
        iso2.ServiceDiscoveryRes, lambda res, nth: res._replace(service_list=iso2.ServiceList(extra))
    )
    assert bench.run().end is EvEnd.CHARGED
    asked = [request.service_id for request in bench.charger.bodies(iso2.ServiceDetailReq)]
    assert asked == ([3, 4] if asks else [])


@pytest.mark.parametrize(
    "change",
    [
        {"payment_option_list": iso2.PaymentOptionList((iso2.PaymentOption.Contract,))},
        {
            "charge_service": iso2.ChargeService(
                1,
                iso2.ServiceCategory.EVCharging,
                True,
                iso2.SupportedEnergyTransferMode((iso2.EnergyTransferMode.AC_three_phase_core,)),
            )
        },
    ],
    ids=["contract only", "AC only"],
)
def test_a_service_the_car_cannot_use_is_refused_politely(change: dict[str, Any]) -> None:
    bench = Iso2Bench()
    bench.charger.change(iso2.ServiceDiscoveryRes, lambda res, nth: res._replace(**change))
    assert bench.run().end is EvEnd.SERVICE_REFUSED
    assert bench.charger.names()[-1] == "SessionStopReq"


# --- authorization ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("processing", "after_s"), [(c.ONGOING, 60.0), (c.FOR_CUSTOMER, 600.0)], ids=["ongoing", "customer"]
)
def test_authorization_is_waited_for(processing: iso2.EvseProcessing, after_s: float) -> None:
    bench = Iso2Bench()
    bench.charger.change(iso2.AuthorizationRes, lambda res, nth: res._replace(evse_processing=processing))
    assert bench.run().end is EvEnd.AUTHORIZATION_TIMEOUT
    waited_s = bench.sent[-1][0] - bench.time_of(iso2.AuthorizationReq)
    assert after_s <= waited_s <= after_s + 0.2
    assert bench.charger.names()[-2:] == ["AuthorizationReq", "SessionStopReq"]


def test_a_customers_time_does_not_count_as_the_chargers() -> None:
    bench = Iso2Bench()

    def slow(res: iso2.AuthorizationRes, nth: int) -> iso2.AuthorizationRes:
        elapsed_s = bench.now - START_S
        if elapsed_s < 300.0:
            return res._replace(evse_processing=c.FOR_CUSTOMER)
        return res._replace(evse_processing=c.ONGOING) if elapsed_s < 355.0 else res

    bench.charger.change(iso2.AuthorizationRes, slow)
    assert bench.run().end is EvEnd.CHARGED


# --- parameters and schedule ------------------------------------------------------------------------------


def test_parameters_may_take_a_minute() -> None:
    bench = Iso2Bench()
    bench.charger.change(
        iso2.ChargeParameterDiscoveryRes,
        lambda res, nth: res._replace(evse_processing=c.ONGOING, sa_schedules=None),
    )
    assert bench.run().end is EvEnd.PARAMETERS_TIMEOUT
    assert 60.0 <= bench.sent[-1][0] - bench.time_of(iso2.ChargeParameterDiscoveryReq) <= 60.2


def test_finished_parameters_need_a_schedule() -> None:
    bench = Iso2Bench()
    bench.charger.change(iso2.ChargeParameterDiscoveryRes, lambda res, nth: res._replace(sa_schedules=None))
    ended = bench.run()
    assert ended.end is EvEnd.PROTOCOL_ERROR
    assert "SAScheduleList" in ended.detail


def with_schedule(*entries: tuple[int, float], tuple_id: int = 7, **more: Any) -> Iso2Bench:
    """A bench whose charger tells one schedule."""
    bench = Iso2Bench(changes={"charging": {"ramp_a_per_s": 1000.0}}, **more)
    told = c.schedules(*entries, tuple_id=tuple_id)
    bench.charger.change(iso2.ChargeParameterDiscoveryRes, lambda res, nth: res._replace(sa_schedules=told))
    return bench


def test_the_schedule_is_followed_from_entry_to_entry() -> None:
    bench = with_schedule((0, 20_000.0), (20, 50_000.0), (30, 0.0), (60, 10_000.0), target_soc=65.0)
    assert bench.run().end is EvEnd.CHARGED
    told_at = bench.time_of(iso2.ChargeParameterDiscoveryReq)
    highest: dict[float, float] = {}
    for (at, _), request in zip(bench.sent, bench.charger.requests, strict=True):
        body = getattr(request, "body", None)
        if not isinstance(body, iso2.CurrentDemandReq):
            continue
        elapsed_s = at - told_at
        limit_w = next(w for s, w in ((60, 1e4), (30, 0.0), (20, 5e4), (0, 2e4)) if elapsed_s >= s)
        power_w = c.number(body.ev_target_current) * 368.0  # the lowest voltage of this battery here
        assert power_w <= limit_w
        highest[limit_w] = max(highest.get(limit_w, 0.0), power_w)
    assert highest[2e4] > 19_000
    assert highest[5e4] > 45_000
    assert highest[1e4] > 9_000


def test_the_schedule_is_named_and_planned() -> None:
    bench = with_schedule((0, 20_000.0), (3600, 400_000.0))
    bench.run()
    start, stop = bench.charger.bodies(POWER_DELIVERY)
    assert (start.sa_schedule_tuple_id, stop.sa_schedule_tuple_id) == (7, 7)
    plan = [
        (e.charging_profile_entry_start, c.number(e.charging_profile_entry_max_power))
        for e in start.charging_profile.profile_entry
    ]
    assert plan == [(0, 20_000.0), (3600, 150_000.0)]  # its own limit
    assert stop.charging_profile is None


def test_a_long_schedule_leaves_the_last_place_free() -> None:
    bench = with_schedule(*((i * 60, 20_000.0 + i) for i in range(100)))
    bench.run()
    assert len(bench.charger.bodies(POWER_DELIVERY)[0].charging_profile.profile_entry) == 23


def test_the_charger_may_lower_power_in_the_loop() -> None:
    bench = Iso2Bench(target_soc=60.0, changes={"charging": {"ramp_a_per_s": 1000.0}})
    bench.charger.change(
        iso2.CurrentDemandRes,
        lambda res, nth: res._replace(evse_maximum_power_limit=c.watts(7_000.0)) if nth > 5 else res,
    )
    bench.run()
    demands = bench.charger.bodies(iso2.CurrentDemandReq)
    assert c.number(demands[4].ev_target_current) > 100
    assert c.number(demands[9].ev_target_current) == pytest.approx(7_000 / 370, abs=0.7)


# --- message time-outs ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "limit_s"),
    [
        (iso2.SessionSetupRes, 2.0),
        (iso2.ServiceDiscoveryRes, 2.0),
        (iso2.ServiceDetailRes, 5.0),
        (iso2.PaymentServiceSelectionRes, 2.0),
        (iso2.AuthorizationRes, 2.0),
        (iso2.ChargeParameterDiscoveryRes, 2.0),
        (iso2.CableCheckRes, 2.0),
        (iso2.PreChargeRes, 2.0),
        (iso2.PowerDeliveryRes, 5.0),
        (iso2.CurrentDemandRes, 0.25),
        (iso2.WeldingDetectionRes, 2.0),
        (iso2.SessionStopRes, 2.0),
    ],
)
def test_silence_is_borne_as_long_as_the_standard_says(response: type[Any], limit_s: float) -> None:
    bench = Iso2Bench()
    extra = iso2.ServiceList((iso2.Service(3, iso2.ServiceCategory.Internet, True),))
    bench.charger.change(iso2.ServiceDiscoveryRes, lambda res, nth: res._replace(service_list=extra))
    bench.charger.change(response, lambda res, nth: None)
    ended = bench.run()
    assert EvEnd.MESSAGE_TIMEOUT in (ended.end, *(text.split(":")[0] for text in ended.trouble))
    assert ended.at - bench.sent[-1][0] == pytest.approx(limit_s)


@pytest.mark.parametrize(
    "response",
    [
        iso2.SessionSetupRes,
        iso2.ServiceDiscoveryRes,
        iso2.PaymentServiceSelectionRes,
        iso2.AuthorizationRes,
        iso2.ChargeParameterDiscoveryRes,
        iso2.CableCheckRes,
        iso2.PreChargeRes,
        iso2.PowerDeliveryRes,
        iso2.CurrentDemandRes,
    ],
)
def test_a_failed_code_ends_the_session_at_once(response: type[Any]) -> None:
    bench = Iso2Bench()
    failed = iso2.ResponseCode.FAILED_SequenceError
    bench.charger.change(response, lambda res, nth: res._replace(response_code=failed))
    ended = bench.run()
    assert (ended.end, ended.detail) == (EvEnd.ANSWER_FAILED, f"{response.__name__} FAILED_SequenceError")
    assert bench.pilots[-1][1] == "B"
