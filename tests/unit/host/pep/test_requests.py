"""Our requests: one in flight, priorities, numbers, time limits, retries - rule by rule."""

from __future__ import annotations

import pytest
from unit.host.pep.given import wire
from unit.host.pep.rig import FLOAT, Line

from vsecc_host.pep.sequence import SequenceCounter
from vsecc_host.pep.times import CLOSE_WINDOW_S, REQUEST_TIMEOUT_S
from vsecc_host.station import commands as c
from vsecc_host.station import events as e
from vsecc_host.station.values import Cause, PowerPhase

STOP = PowerPhase.POST_CHARGE
CHECK = c.PowerCableCheck(evse_id=1, voltage_v=500.0)
RESET = c.PowerReset(evse_id=1)


def test_a_connection_begins_with_reset_and_configuration() -> None:
    line = Line().connect()
    assert line.kinds == ["reset"]
    line.answer("reset")
    assert [(r["kind"], r["sequenceNumber"]) for r in line.requests] == [("reset", 1), ("configuration", 2)]
    assert [r["payload"] for r in line.requests] == [{}, {}]


def test_the_next_request_waits_for_the_answer() -> None:
    line = Line().ready()
    line.target(400, 10).target(400, 20)
    assert len(line.requests) == 1
    line.answer("targetValues")
    assert [r["payload"]["targetCurrent"] for r in line.requests] == [10, 20]


def test_or_for_500_ms() -> None:
    line = Line().ready()
    line.target(400, 10).target(400, 20)
    line.wait(REQUEST_TIMEOUT_S - 0.01)
    assert len(line.requests) == 1
    line.wait(0.01)
    assert [r["payload"]["targetCurrent"] for r in line.requests] == [10, 20]


def test_the_newest_waiting_target_wins() -> None:
    line = Line().ready()
    for amps in (10, 20, 30, 40):
        line.target(400, amps)
    line.answer("targetValues")
    assert [r["payload"]["targetCurrent"] for r in line.requests] == [10, 40]


def test_what_waits_goes_by_urgency() -> None:
    line = Line().ready()
    line.target(400, 10)
    line.machine._ask_configuration(line.now)
    line.target(400, 20).do(CHECK).contactors(True)
    for kind in ("targetValues", "contactorsStatus", "cableCheck", "targetValues"):
        line.answer(kind)
    assert line.kinds == ["targetValues", "closed", "cableCheck", "targetValues", "configuration"]


def test_opening_overtakes_and_forgets_what_would_energise() -> None:
    line = Line().ready()
    line.target(400, 10)
    line.contactors(True).do(CHECK).target(400, 20).contactors(False)
    line.answer("targetValues").answer("contactorsStatus").wait(3)
    assert line.kinds[:2] == ["targetValues", "open"]
    assert len(line.requests) == 2


def test_a_reset_overtakes_everything() -> None:
    line = Line().ready()
    line.target(400, 10).contactors(False).do(RESET)
    line.answer("targetValues")
    assert line.kinds == ["targetValues", "reset"]
    line.answer("reset").status().wait(1)
    assert len(line.requests) == 2


def test_zero_current_goes_out_before_the_contactors_open() -> None:
    line = Line().ready()
    line.target(400, 100).answer("targetValues")
    line.target(0, 0, STOP).contactors(False)
    assert line.pending["payload"]["chargingState"] == "postCharge"
    line.answer("targetValues")
    assert line.kinds[-1] == "open"


def test_numbers_wrap_to_one() -> None:
    line = Line().ready()
    line.machine._requests._counter = SequenceCounter(2147483646)
    line.target(400, 1).answer("targetValues").target(400, 2).answer("targetValues")
    assert [r["sequenceNumber"] for r in line.requests] == [2147483647, 1]


def test_numbers_begin_again_with_a_connection() -> None:
    line = Line().ready()
    line.machine.disconnected("gone", line.now)
    assert line.connect().pending["sequenceNumber"] == 1


# --- replies that do not fit --------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 2, 4, 2147483647])
def test_a_response_with_another_number_answers_nothing(number: int) -> None:
    line = Line().ready()
    line.target(400, 10).target(400, 20)
    line.hear(wire("response", "targetValues", number))
    assert len(line.requests) == 1
    assert "reply nobody waits for" in line.notes[0]


def test_a_late_reply_never_meets_a_newer_request() -> None:
    line = Line().ready()
    line.target(400, 10)
    late = wire("response", "targetValues", line.pending["sequenceNumber"])
    line.wait(REQUEST_TIMEOUT_S)
    assert len(line.requests) == 2
    line.hear(late).target(400, 30)
    assert len(line.requests) == 2


def test_a_doubled_reply_counts_once() -> None:
    line = Line().ready()
    line.target(400, 10)
    reply = wire("response", "targetValues", line.pending["sequenceNumber"])
    line.hear(reply).target(400, 20).hear(reply).target(400, 30)
    assert len(line.requests) == 2


def test_a_reply_of_another_kind_answers_nothing() -> None:
    line = Line().ready()
    line.target(400, 10)
    line.hear(wire("response", "reset", line.pending["sequenceNumber"])).target(400, 20)
    assert len(line.requests) == 1


def test_a_reply_to_nothing_is_noted() -> None:
    line = Line().ready()
    line.hear(wire("response", "reset", 77))
    line.hear(wire("error", "error", 0, {"errorCategory": "format", "errorDetails": ""}))
    assert line.machine.notes.counts["reply nobody waits for"] == 2
    assert (line.sent, line.events) == ([], [])


def test_an_error_with_number_0_is_for_the_request_in_flight() -> None:
    line = Line().ready()
    line.target(1500, 10)
    line.hear(wire("error", "error", 0, {"errorCategory": "value", "errorDetails": "too high"}))
    assert line.of(e.PowerLost)[0].detail == "targetValues refused, value: too high"


def test_a_reply_nobody_can_read_is_a_refusal() -> None:
    line = Line().connect().answer("reset")
    number = line.pending["sequenceNumber"]
    line.hear(wire("response", "configuration", number, {"firmwareVersion": 7}))
    assert line.pending["sequenceNumber"] == number + 1  # asked once more
    line.answer("configuration", FLOAT)
    assert line.of(e.PowerLimitsTold)


# --- retries ------------------------------------------------------------------------------------------------


def lost(line: Line) -> list[Cause]:
    return [event.cause for event in line.of(e.PowerLost)]


@pytest.mark.parametrize("category", ["format", "generic", "internal"])
@pytest.mark.parametrize(
    ("command", "tries"),
    [
        (CHECK, 2),
        (c.PowerTarget(evse_id=1, voltage_v=4, current_a=1, soc_percent=1, phase=PowerPhase.PRE_CHARGE), 2),
        (c.PowerTarget(evse_id=1, voltage_v=4, current_a=1, soc_percent=1, phase=PowerPhase.CHARGE), 3),
    ],
)
def test_refused_requests_are_repeated_so_often(command: c.Command, tries: int, category: str) -> None:
    line = Line().ready().do(command)
    for count in range(1, tries + 1):
        assert (len(line.requests), lost(line)) == (count, [])
        line.refuse(category)
    assert lost(line) == [Cause.POWER_REFUSED]
    assert len(line.requests) == tries


@pytest.mark.parametrize("command", [CHECK, c.PowerContactors(evse_id=1, closed=True)])
def test_three_unanswered_ones_are_enough(command: c.Command) -> None:
    line = Line().ready().do(command).wait(3 * REQUEST_TIMEOUT_S - 0.01)
    assert (len(line.requests), lost(line)) == (3, [])
    line.wait(0.02)
    assert (len(line.requests), lost(line)) == (3, [Cause.POWER_REFUSED])
    numbers = [r["sequenceNumber"] for r in line.requests]
    assert numbers == list(range(numbers[0], numbers[0] + 3))


def test_unanswered_targets_count_across_targets() -> None:
    line = Line().ready()
    for amps in range(1, 30):
        line.status(contactorsStatus="closed").target(400, amps).wait(0.1)
    assert lost(line)[0] is Cause.POWER_REFUSED
    assert line.of(e.PowerLost)[0].at == pytest.approx(100.0 + 3 * REQUEST_TIMEOUT_S)


def test_an_answer_forgives() -> None:
    line = Line().ready().target(400, 10)
    for _ in range(5):
        line.wait(2 * REQUEST_TIMEOUT_S).answer("targetValues").target(400, 11)
    assert lost(line) == []


def test_a_voltage_that_cannot_be_supplied_ends_it_at_once() -> None:
    line = Line().ready().target(1500, 10).refuse("value", "above 920 V")
    assert lost(line) == [Cause.POWER_REFUSED]
    assert len(line.requests) == 1


def test_the_old_spelling_too() -> None:
    assert lost(Line().ready().target(1500, 10).refuse("valueError")) == [Cause.POWER_REFUSED]


@pytest.mark.parametrize("phase", [PowerPhase.PRE_CHARGE, PowerPhase.CHARGE])
def test_inoperative_ends_it_at_once(phase: PowerPhase) -> None:
    assert lost(Line().ready().target(400, 10, phase).refuse("inoperative")) == [Cause.POWER_INOPERATIVE]


@pytest.mark.parametrize("command", [RESET, c.PowerContactors(evse_id=1, closed=False)])
def test_a_refused_way_out_is_no_fault(command: c.Command) -> None:
    line = Line().ready().do(command).refuse("inoperative")
    assert lost(line) == []


def test_a_refused_zero_target_in_transition_is_no_fault() -> None:
    assert lost(Line().ready().target(0, 0, STOP).refuse("inoperative")) == []


def test_supervision_may_be_a_moment_late_for_closing() -> None:
    line = Line().ready().contactors(True)
    began = line.now
    while not lost(line):
        line.refuse("internal", "supervision input open").wait(0.2)
    assert line.now - began == pytest.approx(CLOSE_WINDOW_S, abs=0.25)
    assert set(line.kinds) == {"closed"}


def test_closing_is_given_up_when_the_relay_opens() -> None:
    line = Line().ready().contactors(True).refuse("internal")
    line.do(c.PowerSupervision(evse_id=1, relay_closed=False)).wait(1)
    assert line.kinds == ["closed"]
    late = Line().ready().contactors(True).do(c.PowerSupervision(evse_id=1, relay_closed=False))
    assert late.refuse("internal").wait(1).kinds == ["closed"]


def test_contactors_close_only_when_the_relay_permits() -> None:
    line = Line().ready().do(c.PowerSupervision(evse_id=1, relay_closed=False)).contactors(True)
    assert line.requests == []
    assert line.of(e.PowerLost)[0].detail == "the safety relay is open"


def test_a_configuration_that_fails_is_asked_again_later() -> None:
    line = Line().connect().answer("reset").refuse("generic").refuse("generic")
    assert line.kinds == ["reset", "configuration", "configuration"]
    line.status().wait(2.1)
    assert line.kinds[3:] == ["configuration"]
    assert lost(line) == []


def test_a_failed_try_is_not_repeated_behind_a_way_out() -> None:
    line = Line().ready().target(400, 10).contactors(False).refuse("generic")
    assert line.kinds == ["targetValues", "open"]
    line.answer("contactorsStatus").wait(1)
    assert line.kinds == ["targetValues", "open"]


def test_each_request_keeps_the_cause_of_its_command() -> None:
    line = Line().ready()
    for cause in (7, 8):
        command = c.PowerTarget(
            evse_id=1, voltage_v=400, current_a=cause, soc_percent=1, phase=PowerPhase.CHARGE
        )
        line.do(command, cause)
    line.answer("targetValues")
    assert line.causes == [7, 8]


def test_refusals_on_the_way_to_standby_are_no_news() -> None:
    line = Line().ready().do(RESET).refuse("inoperative")
    assert [note.wrong for note in line.machine.notes.take()] == [False]
    line.target(400, 10).refuse("inoperative").wait(2)
    assert [note.wrong for note in Line().ready().target(400, 10).refuse("value").machine.notes.take()] == [
        True
    ]
