"""ISO 15118-2: stop, renegotiation, pause and resume, whoever wants them."""

from __future__ import annotations

import pytest
from unit.tools.ev import charger_iso2 as c
from unit.tools.ev.bench import Bench
from unit.tools.ev.charger import SESSION_ID
from unit.tools.ev.iso2_bench import ENDING, SETUP, TO_POWER, Iso2Bench

from vsecc_host.v2g.exi import iso15118_2 as iso2
from vsecc_sim.ev.values import EvEnd, NotPossible

SHUTDOWN = c.status(iso2.DcEvseStatusCode.EVSE_Shutdown, iso2.EvseNotification.StopCharging)
STOP_ASKED = c.status(notification=iso2.EvseNotification.StopCharging)
RENEGOTIATE = c.status(notification=iso2.EvseNotification.ReNegotiation)


@pytest.mark.parametrize("wish", [SHUTDOWN, STOP_ASKED], ids=["both", "notification alone"])
def test_a_stop_notification_is_obeyed(wish: iso2.DcEvseStatus) -> None:
    bench = Iso2Bench()
    bench.charger.change(
        iso2.CurrentDemandRes, lambda res, nth: res._replace(dc_evse_status=wish) if nth >= 5 else res
    )
    assert bench.run().end is EvEnd.STOPPED_BY_EVSE
    assert len(bench.charger.bodies(iso2.CurrentDemandReq)) == 5
    assert bench.charger.names()[-3:] == ENDING
    assert bench.gaps_ms("PowerDeliveryReq")[-1] == pytest.approx(50)


def test_an_emergency_opens_the_contactor_before_the_next_request() -> None:
    bench = Iso2Bench()
    emergency = c.status(iso2.DcEvseStatusCode.EVSE_EmergencyShutdown)
    bench.charger.change(
        iso2.CurrentDemandRes, lambda res, nth: res._replace(dc_evse_status=emergency) if nth == 3 else res
    )
    assert bench.run().end is EvEnd.EMERGENCY_SHUTDOWN
    assert bench.charger.names()[-2:] == ["PowerDeliveryReq", "SessionStopReq"]


def ask_once(bench: Iso2Bench, nth: int = 20) -> None:
    """The charger wants a renegotiation once."""
    bench.charger.change(
        iso2.CurrentDemandRes, lambda res, n: res._replace(dc_evse_status=RENEGOTIATE) if n == nth else res
    )


def test_renegotiation_by_the_book_checks_the_cable_again() -> None:
    bench = Iso2Bench(target_soc=60.0)
    ask_once(bench)
    told = [c.schedules((0, 30_000.0), tuple_id=1), c.schedules((0, 9_000.0), tuple_id=2)]
    bench.charger.change(
        iso2.ChargeParameterDiscoveryRes, lambda res, nth: res._replace(sa_schedules=told[nth - 1])
    )
    assert bench.run().end is EvEnd.CHARGED
    again = ["CurrentDemandReq", "PowerDeliveryReq", *TO_POWER, "CurrentDemandReq", *ENDING]
    assert bench.charger.names() == [*SETUP, *TO_POWER, *again]
    progress = iso2.ChargeProgress
    assert bench.progress() == [progress.Start, progress.Renegotiate, progress.Start, progress.Stop]
    assert [r.sa_schedule_tuple_id for r in bench.charger.bodies(iso2.PowerDeliveryReq)] == [1, 1, 2, 2]
    assert bench.bus is not None and bench.bus.facts.closings == 2
    assert bench.vehicle.complaints() == []
    assert [state for _, state in bench.pilots] == ["C", "C", "B", "B"]
    last = bench.charger.bodies(iso2.CurrentDemandReq)[-10]
    assert c.number(last.ev_target_current) * 368 <= 9_100


def test_a_short_renegotiation_stays_connected() -> None:
    bench = Iso2Bench(target_soc=60.0, changes={"checks": {"renegotiation": "short"}})
    ask_once(bench)
    assert bench.run().end is EvEnd.CHARGED
    middle = ["CurrentDemandReq", "PowerDeliveryReq", "ChargeParameterDiscoveryReq", "PowerDeliveryReq"]
    assert bench.charger.names() == [*SETUP, *TO_POWER, *middle, "CurrentDemandReq", *ENDING]
    assert bench.bus is not None and bench.bus.facts.closings == 1


def test_the_car_can_ask_for_a_renegotiation() -> None:
    bench = Iso2Bench(target_soc=60.0)
    bench.charger.change(
        iso2.CurrentDemandRes, lambda res, nth: (bench.machine.renegotiate(), res)[1] if nth == 20 else res
    )
    assert bench.run().end is EvEnd.CHARGED
    assert bench.progress().count(iso2.ChargeProgress.Renegotiate) == 1


def test_a_driver_who_leaves_comes_before_new_parameters() -> None:
    bench = Iso2Bench(target_soc=60.0)
    ask_once(bench)
    bench.charger.change(
        iso2.CurrentDemandRes,
        lambda res, nth: (
            (bench.machine.stop(EvEnd.STOPPED_BY_DRIVER), res)[1]
            if nth == 22
            else res._replace(dc_evse_status=RENEGOTIATE)
            if nth == 20
            else res
        ),
    )
    ended = bench.run()
    assert ended.end is EvEnd.STOPPED_BY_DRIVER
    assert bench.charger.names()[-3:] == ENDING


# --- pause ------------------------------------------------------------------------------------------------


def pause_at(bench: Iso2Bench, nth: int) -> None:
    """The car wants to pause at one answer of the loop."""
    bench.charger.change(
        iso2.CurrentDemandRes, lambda res, n: (bench.machine.pause(), res)[1] if n == nth else res
    )


def test_a_pause_ends_in_order_and_says_so() -> None:
    bench = Iso2Bench(target_soc=60.0)
    pause_at(bench, 30)
    ended = bench.run()
    assert (ended.end, ended.trouble) == (EvEnd.PAUSED, ())
    assert bench.charger.names()[-3:] == ENDING
    assert bench.charger.bodies(iso2.CurrentDemandReq)[-1].ev_target_current.value == 0
    assert bench.charger.bodies(iso2.SessionStopReq) == [iso2.SessionStopReq(iso2.ChargingSession.Pause)]
    assert bench.pilots[-1][1] == "B"


def test_a_pause_wished_early_waits_for_energy() -> None:
    bench = Iso2Bench()
    bench.charger.change(iso2.AuthorizationRes, lambda res, nth: (bench.machine.pause(), res)[1])
    assert bench.run().end is EvEnd.PAUSED
    assert bench.charger.bodies(iso2.CurrentDemandReq)


def test_a_stop_overrules_a_pause_that_has_not_begun() -> None:
    bench = Iso2Bench()
    bench.charger.change(
        iso2.AuthorizationRes,
        lambda res, nth: (bench.machine.pause(), bench.machine.stop(EvEnd.STOPPED_BY_DRIVER), res)[2],
    )
    assert bench.run().end is EvEnd.STOPPED_BY_DRIVER


@pytest.mark.parametrize("joins", [True, False])
def test_the_old_session_goes_on_or_a_new_one_begins(joins: bool) -> None:
    bench = Iso2Bench(old_session_id=b"OLD_ID_1")
    bench.charger.joins = b"OLD_ID_1" if joins else None
    assert bench.run().end is EvEnd.CHARGED
    assert bench.charger.requests[1].header.session_id == b"OLD_ID_1"
    assert bench.charger.requests[2].header.session_id == (b"OLD_ID_1" if joins else SESSION_ID)


@pytest.mark.parametrize("old", [None, b"OLD_ID_1"])
def test_joining_a_session_that_is_not_ours_is_refused(old: bytes | None) -> None:
    bench = Iso2Bench(old_session_id=old)
    code = iso2.ResponseCode.OK_OldSessionJoined
    bench.charger.change(iso2.SessionSetupRes, lambda res, nth: res._replace(response_code=code))
    assert bench.run().end is EvEnd.PROTOCOL_ERROR


def test_din_knows_neither_pause_nor_renegotiation() -> None:
    bench = Bench()
    with pytest.raises(NotPossible, match="before a protocol is agreed on"):
        bench.machine.pause()
    bench.run()
    with pytest.raises(NotPossible, match="DIN SPEC 70121 knows no pause"):
        bench.machine.pause()
    with pytest.raises(NotPossible, match="DIN SPEC 70121 knows no renegotiation"):
        bench.machine.renegotiate()
