"""The judge: a SECC that keeps the rules is not blamed, each broken rule is found and named."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from unit.tools.pecc.rig import Rig

from vsecc_host.pep.versions import PepVersion
from vsecc_host.power.config import PowerConfig
from vsecc_sim.pecc.config import PeccConfig, PeccManners
from vsecc_sim.pecc.report import as_text, report_of
from vsecc_sim.pecc.rules import RULES, Weight

INTEGERS = PeccConfig(manners=PeccManners(float_values=False))
SMALL = PeccConfig(power=PowerConfig(max_power_w=20_000.0, max_current_a=100.0))


def request(kind: str, number: int, **payload: object) -> str:
    return json.dumps({"type": "request", "kind": kind, "sequenceNumber": number, "payload": payload})


@pytest.mark.parametrize("version", [version for version in PepVersion if version >= PepVersion.V1_2])
def test_a_good_session_is_not_blamed(version):
    rig = Rig(version=version).connect()
    rig.plug() if version >= PepVersion.V1_7 else _plug_older(rig)
    if version < PepVersion.V1_3:
        rig.ask("contactorsStatus", contactorsStatus="closed")
        rig.wait(0.3)
        rig.ask("cableCheck")
    else:
        rig.ask("contactorsStatus", contactorsStatus="closed")
        rig.wait(0.3)
        rig.ask("cableCheck", voltage=500)
    rig.wait(5.0)
    for _ in range(10):
        rig.target(400, 2, "preCharge")
        rig.wait(0.2)
    for _ in range(10):
        rig.target(420, 100, "charge")
        rig.wait(0.2)
    rig.stop()
    rig.point.conduct.finish(rig.now)
    assert rig.broken() == []
    assert rig.point.conduct.sessions == 1
    assert report_of([rig.point])["ok"]


def _plug_older(rig: Rig) -> None:
    rig.configure()
    rig.info("evConnectionState", evConnectionState="energyTransferAllowed")
    rig.point.supervise(True, rig.now)


def skip_number(rig: Rig) -> None:
    rig.ask("configuration")
    rig.send(request("configuration", 7))


def two_at_once(rig: Rig) -> None:
    rig.send(request("configuration", 1))
    rig.send(request("configuration", 2))


def early_second(rig: Rig) -> None:
    rig.fault("reply-dropped")
    rig.ask("configuration", 0.3)
    rig.ask("configuration")


def late_answer(rig: Rig) -> None:
    rig.fault("stop-charging")
    rig.wait(1.0)


def answer_to_nothing(rig: Rig) -> None:
    rig.send('{"type":"response","kind":"getInput","sequenceNumber":3,"payload":{"inputValues":{}}}')


def close_unsupervised(rig: Rig) -> None:
    rig.configure()
    rig.wait(1.0)
    rig.ask("contactorsStatus", contactorsStatus="closed")


def close_unconfigured(rig: Rig) -> None:
    rig.point.supervise(True, rig.now)
    rig.ask("contactorsStatus", contactorsStatus="closed")


def target_while_inoperative(rig: Rig) -> None:
    rig.charge()
    rig.fault("inoperative")
    rig.wait(0.6)
    rig.target(420, 100, "charge")


def goes_on_while_inoperative(rig: Rig) -> None:
    rig.charge()
    rig.fault("inoperative")
    rig.wait(3.0)


def goes_on_without_status(rig: Rig) -> None:
    rig.charge()
    rig.fault("status-stopped")
    for _ in range(20):
        rig.target(420, 100, "charge")
        rig.wait(0.2)


def goes_on_with_isolation_fault(rig: Rig) -> None:
    rig.charge()
    rig.fault("isolation-fault")
    rig.wait(3.0)


def pre_charge_unchecked(rig: Rig) -> None:
    rig.close()
    rig.target(400, 2, "preCharge")


def pre_charge_untested(rig: Rig) -> None:
    rig.close()
    rig.ask("cableCheck", voltage=500)
    rig.target(400, 2, "preCharge")


def believes_a_stale_valid(rig: Rig) -> None:
    rig.check()
    rig.fault("stale-valid")
    rig.ask("reset")
    rig.wait(2.0)
    rig.ask("contactorsStatus", contactorsStatus="closed")
    rig.wait(0.3)
    rig.ask("cableCheck", 0.25, voltage=500)
    rig.target(400, 2, "preCharge")


def goes_on_with_a_warning(rig: Rig) -> None:
    rig.fault("isolation-warning")
    rig.check()
    rig.target(400, 2, "preCharge")


def charge_at_once(rig: Rig) -> None:
    rig.check()
    rig.target(400, 100, "charge")


def back_to_pre_charge(rig: Rig) -> None:
    rig.charge()
    rig.target(400, 2, "preCharge")


def open_under_current(rig: Rig) -> None:
    rig.charge()
    rig.ask("contactorsStatus", contactorsStatus="open")


def close_again_without_reset(rig: Rig) -> None:
    rig.charge()
    rig.target(0, 0, "postCharge")
    rig.ask("contactorsStatus", contactorsStatus="open")
    rig.wait(2.0)
    rig.ask("contactorsStatus", contactorsStatus="closed")


def never_resets(rig: Rig) -> None:
    rig.charge()
    rig.target(0, 0, "postCharge")
    rig.info("evConnectionState", evConnectionState="disconnected")
    rig.point.conduct.finish(rig.now)


def comes_back_without_reset(rig: Rig) -> None:
    rig.charge()
    rig.point.disconnected(rig.now)
    rig.wait(10.0)
    rig.connect()
    rig.number = 0
    rig.ask("configuration")


def ignores_stop(rig: Rig) -> None:
    rig.charge()
    rig.fault("stop-charging")
    rig.send('{"type":"response","kind":"stopCharging","sequenceNumber":1,"payload":{}}')
    for _ in range(130):
        rig.target(420, 100, "charge")
        rig.wait(0.5)


def stops_talking(rig: Rig) -> None:
    rig.point.pong = lambda now: None
    rig.wait(6.0)


BREAKERS: dict[str, Callable[[Rig], object]] = {
    "valid-message": lambda rig: rig.send('{"type":"request","kind":"reset","sequenceNumber":1}'),
    "text-frames": lambda rig: rig.send(b"{}"),
    "right-direction": lambda rig: rig.send(request("getInput", 1, inputIdentifiers=[])),
    "one-in-flight": two_at_once,
    "number-step": skip_number,
    "number-range": lambda rig: rig.send(request("configuration", 0)),
    "number-start": lambda rig: rig.send(request("configuration", 9)),
    "answers": late_answer,
    "no-idle-answers": answer_to_nothing,
    "no-pings": lambda rig: rig.point.pinged(rig.now),
    "unresponsive": stops_talking,
    "configuration": close_unconfigured,
    "reset-first": comes_back_without_reset,
    "vehicle-id": lambda rig: rig.info(
        "evConnectionState", evConnectionState="disconnected", vehicleId="00:11:22:33:44:55"
    ),
    "close-allowed": close_unsupervised,
    "close-announced": close_unconfigured,
    "session-known": close_unconfigured,
    "close-operative": target_while_inoperative,
    "check-closed": lambda rig: rig.ask("cableCheck", voltage=400),
    "check-voltage": lambda rig: (rig.close(), rig.ask("cableCheck", voltage=1500)),
    "check-first": pre_charge_unchecked,
    "check-valid": pre_charge_untested,
    "warning-goes": goes_on_with_a_warning,
    "phase-order": charge_at_once,
    "targets-closed": lambda rig: rig.target(400, 2, "preCharge"),
    "voltage-limit": lambda rig: (rig.configure(), rig.target(1500, 2, "charge")),
    "current-limit": lambda rig: (rig.configure(), rig.target(500, 2000, "charge")),
    "post-charge-zero": lambda rig: rig.target(400, 0, "postCharge"),
    "zero-first": open_under_current,
    "reset-at-end": close_again_without_reset,
    "stop-on-fault": goes_on_while_inoperative,
    "stop-followed": ignores_stop,
    "state-told": lambda rig: rig.wait(3.0),
}


@pytest.mark.parametrize("rule", BREAKERS)
def test_each_broken_rule_is_found(rule):
    rig = Rig().connect()
    BREAKERS[rule](rig)
    assert rule in rig.broken()
    finding = next(one for one in rig.point.conduct.findings if one.rule == rule)
    assert finding.as_json(0.0)["clause"] == RULES[rule].clause
    assert rule in as_text(report_of([rig.point]))
    if RULES[rule].weight is Weight.RULE:
        assert not report_of([rig.point])["ok"]


def test_times_of_a_report_count_from_power_on():
    rig = Rig().connect()  # its clock does not begin at 0
    rig.wait(3.0)
    (finding,) = report_of([rig.point])["charge_points"][0]["findings"]
    assert 2.0 <= finding["at_s"] <= 3.0
    assert f"first at {finding['at_s']:.3f} s" in as_text(report_of([rig.point]))


@pytest.mark.parametrize(
    ("rule", "breaker"),
    [
        ("one-in-flight", early_second),
        ("stop-on-fault", goes_on_without_status),
        ("stop-on-fault", goes_on_with_isolation_fault),
        ("check-valid", believes_a_stale_valid),
        ("phase-order", back_to_pre_charge),
        ("reset-at-end", never_resets),
    ],
)
def test_other_ways_to_break_them(rule, breaker):
    rig = Rig().connect()
    breaker(rig)
    assert rule in rig.broken()


def test_fractions_in_integer_mode():
    rig = Rig(INTEGERS).connect()
    rig.configure()
    rig.target(400.5, 2, "preCharge")
    assert "integers" in rig.broken()


def test_power_above_what_was_told():
    rig = Rig(SMALL).connect()
    rig.charge(50)
    rig.target(420, 90, "charge")
    assert "power-limit" in rig.broken()


def test_a_cut_of_the_limits_gives_the_car_a_moment():
    rig = Rig().connect()
    rig.charge(100)
    rig.point.set_limits(rig.now, max_current_a=50.0)
    rig.configure()
    rig.target(420, 100, "charge")
    assert "current-limit" not in rig.broken()
    rig.wait(6.0)
    rig.target(420, 100, "charge")
    assert "current-limit" in rig.broken()


def test_a_timed_out_request_makes_room_for_the_next():
    rig = Rig().connect()
    rig.fault("reply-dropped")
    rig.ask("configuration", 0.51)
    rig.ask("configuration")
    assert "one-in-flight" not in rig.broken()


def test_every_rule_can_be_broken_in_a_test():
    handshakes = {"one-connection", "reconnect", "subprotocol"}  # test_service.py
    here = {"integers", "power-limit"}
    assert set(RULES) == set(BREAKERS) | handshakes | here


def test_findings_are_bounded_and_counted():
    rig = Rig().connect()
    for _ in range(3000):
        rig.send("x")
    assert len(rig.point.conduct.findings) == 1000
    assert rig.point.conduct.counts["valid-message"] == 3000


def test_a_fault_of_our_own_input_is_not_the_fault_of_the_secc():
    rig = Rig().connect()
    rig.plug()
    rig.fault("supervision-denied")
    rig.wait(1.0)
    assert rig.ask("contactorsStatus", contactorsStatus="closed")["payload"]["errorCategory"] == "internal"
    assert rig.broken() == []
