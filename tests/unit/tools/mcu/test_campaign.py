"""The fault campaign: every case, and proof that its judge, its observer and its reader can say no."""

import json
import re

import pytest

from mcu import safety
from vsecc_link import messages
from vsecc_sim.mcu.board import Board
from vsecc_sim.mcu.campaign import __main__ as command
from vsecc_sim.mcu.campaign import case as cases
from vsecc_sim.mcu.campaign import report
from vsecc_sim.mcu.campaign.case import CaseError
from vsecc_sim.mcu.campaign.oracle import Oracle
from vsecc_sim.mcu.campaign.run import run_case
from vsecc_sim.mcu.campaign.timeline import timeline

ALL = cases.load()
SHORT = [case for case in ALL if not case.long]
BY_ID = {case.id: case for case in ALL}


def failures(result):
    text = "\n".join(report.lines(result, verbose=True))
    return text + "\n" + timeline(result)


@pytest.mark.clause("S1", "S2", "S3", "S4", "S6", "S7", "S10")
@pytest.mark.parametrize("case", SHORT, ids=lambda case: case.id)
def test_case(case):
    result = run_case(case)
    assert result.ok, failures(result)


def test_there_are_enough_cases_for_every_rule():
    assert len(SHORT) >= 60
    assert {rule for case in ALL for rule in case.rules} >= {"S1", "S2", "S3", "S4", "S5", "S6", "S7", "S10"}
    assert sum(case.micropython for case in ALL) * 10 >= len(ALL)


def test_the_page_of_the_docs_is_current():
    """Words and bounds exactly; figures within a cycle or two, since siblings share the loop."""
    page = command.PAGE.read_text(encoding="utf-8")
    head, count = page.splitlines()[:1], re.search(r"^(\d+) cases, (\d+) of them", page, re.M)
    assert head == ["# Fault campaign"] and count
    assert (int(count[1]), int(count[2])) == (len(ALL), sum(case.micropython for case in ALL))
    for case in ALL:
        row = next((line for line in page.splitlines() if line.startswith(f"| `{case.id}` |")), None)
        assert row is not None, f"{case.id}: write the page anew, see its head"
        assert f"| {' '.join(case.rules)} |" in row and case.title in row, case.id
        for one in case.expect:
            if "within_ms" in one.options:
                assert f"/ {one.options['within_ms']:g}" in row, (case.id, one)
    assert "not met" not in page


@pytest.mark.parametrize("name", ["cp-c-to-b", "grant-host-silent", "cp-return-to-c-uses-grant-up"])
def test_a_program_that_forgets_to_open_fails(monkeypatch, name):
    monkeypatch.setattr(safety.Relay, "drive", lambda self: self._hal.relay_feed(self._number))
    result = run_case(BY_ID[name])
    assert not result.ok
    text = failures(result)
    assert "FAIL relay1.drive False - /" in text


def test_the_observer_alone_sees_a_late_program(monkeypatch):
    monkeypatch.setattr("mcu.cp_control.LEAVE_PERIODS", 14)
    result = run_case(BY_ID["cp-return-to-c-uses-grant-up"])
    rule = result.verdicts[-1]
    assert rule.what == "no rule broken" and not rule.ok and "S2: relay 1 driven" in rule.detail


def test_the_observer_sees_a_grant_that_lives_too_long(monkeypatch):
    monkeypatch.setattr("vsecc_link.link.SILENCE_MAX_MS", 5000)  # the link would end it, too
    monkeypatch.setattr("mcu.safety.add", lambda ticks, us: (ticks + us + 300_000) & 0x3FFFFFFF)
    result = run_case(BY_ID["grant-host-silent"])
    assert "S3: relay 1 driven without a live grant" in result.verdicts[-1].detail


def test_the_observer_sees_an_output_nobody_asked_for(monkeypatch):
    def slip(self, port, mode, duty, now):
        return self.guards[port - 1].driver.set(mode, duty + 1) and None

    monkeypatch.setattr(safety.Safety, "set_pilot", slip)
    with pytest.raises(CaseError, match="did not come to charging"):
        run_case(BY_ID["cp-c-to-b"])
    result = run_case(BY_ID["cp-bcb-toggle"])
    assert "S7: pilot1.duty 51: nobody asked" in result.verdicts[-1].detail


def test_the_observer_knows_which_outputs_were_asked_for():
    board = Board()
    observer = Oracle(board)
    observer.ask((messages.SET_LOCK, 1, True))
    observer.ask((messages.SET_OUTPUTS, 3, 1))
    for name, value in (("lock1.drive", 1), ("lock1.drive", 0), ("outputs", 1), ("led1", 2)):
        board.trace.add(5, name, value)
    assert observer.violations == []
    for name, value in (("lock1.drive", -1), ("lock2.drive", 1), ("outputs", 2), ("relay3.drive", True)):
        board.trace.add(6, name, value)
    assert [text for _, _, text in observer.violations] == [
        "lock1.drive -1: nobody asked",
        "lock2.drive 1: nobody asked",
        "outputs 2: nobody asked",
        "relay 3 driven",
    ]


def test_timeline_shows_lanes_events_and_the_step():
    text = timeline(run_case(BY_ID["cp-c-to-b"]))
    lanes = {line.split()[0]: line for line in text.splitlines() if line and not line.startswith(" ")}
    assert {"ms", "ev1", "pilot1.duty", "relay1.drive", "relay1.closed", "step"} <= set(lanes)
    assert "C" in lanes["ev1"] and "B" in lanes["ev1"]
    assert "#" in lanes["relay1.drive"] and "." in lanes["relay1.drive"]
    assert re.search(r"20\.370 ms  << ev B", text) and re.search(r"ms  relay1\.drive False", text)


BAD = {
    "nothing": ("", "no list|not a list"),
    "no id": ("[[case]]\ntitle='x'", "needs `id`"),
    "no rule": ("[[case]]\nid='x'\ntitle='x'\nrules=['S11']\nexpect=[{sessions=1}]", "rules are"),
    "expects nothing": ("[[case]]\nid='x'\ntitle='x'\nrules=['S1']", "expects nothing"),
    "key": ("[[case]]\nid='x'\ntitle='x'\nwhen=1", "unknown key when"),
    "start": ("[[case]]\nid='x'\ntitle='x'\nrules=['S1']\nstart='x'\nexpect=[{sessions=1}]", "start is one"),
    "step": (
        "[[case]]\nid='x'\ntitle='x'\nrules=['S1']\nsteps=[{at_ms=1, fly=1}]\nexpect=[{sessions=1}]",
        "exactly one",
    ),
    "time": (
        "[[case]]\nid='x'\ntitle='x'\nrules=['S1']\nsteps=[{ev='A'}]\nexpect=[{sessions=1}]",
        "at_ms",
    ),
    "order": (
        "[[case]]\nid='x'\ntitle='x'\nrules=['S1']\nsteps=[{at_ms=2, ev='A'}, {at_ms=1, ev='B'}]\n"
        "expect=[{sessions=1}]",
        "order of time",
    ),
    "option": (
        "[[case]]\nid='x'\ntitle='x'\nrules=['S1']\nsteps=[{at_ms=2, ev='A', loud=1}]\nexpect=[{sessions=1}]",
        "unknown key loud",
    ),
    "after": ("[[case]]\nid='x'\ntitle='x'\nrules=['S1']\nexpect=[{sessions=1, after=0}]", "no step 0"),
    "toml": ("[[case", "bad.toml"),
    "deep": ("a = " + "[" * 100_000, "bad.toml"),
    "row": ("case = [1]", "a case is a table"),
    "kind": ("[[case]]\nid='x'\ntitle='x'\nrules='S1'\nexpect=[{sessions=1}]", "rules cannot be 'S1'"),
    "rule": ("[[case]]\nid='x'\ntitle='x'\nrules=[['S1']]\nexpect=[{sessions=1}]", "rules are S1 to S10"),
    "step row": (
        "[[case]]\nid='x'\ntitle='x'\nrules=['S1']\nsteps=[1]\nexpect=[{sessions=1}]",
        "a table, not 1",
    ),
    "no time": (
        "[[case]]\nid='x'\ntitle='x'\nrules=['S1']\nsteps=[{at_ms=nan, ev='A'}]\nexpect=[{sessions=1}]",
        "needs `at_ms`",
    ),
    "which": ("[[case]]\nid='x'\ntitle='x'\nrules=['S1']\nexpect=[{sessions=1, after='x'}]", "no step x"),
}


@pytest.mark.parametrize(("text", "problem"), BAD.values(), ids=list(BAD))
def test_a_case_file_that_is_wrong_is_named(tmp_path, capsys, text, problem):
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(CaseError, match=problem):
        cases.load(tmp_path)


def run_command(*words):
    import argparse

    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


def test_command_prints_a_line_a_case_and_its_timeline(capsys):
    assert run_command("cp-c-to-b", "--timeline") == 0
    text = capsys.readouterr().out
    assert text.startswith("ok   cp-c-to-b") and "relay1.drive" in text and "1 cases, 0 failed" in text


def test_command_as_json(capsys):
    assert run_command("cp-c-to-b", "--json") == 0
    row = json.loads(capsys.readouterr().out)
    assert row["ok"] and row["rules"] == ["S1", "S2"] and row["chip"] == "sim"
    assert row["verdicts"][0]["bound"] == 10 and 0 < row["verdicts"][0]["measured"] <= 10


def test_command_fails_with_the_case(capsys, monkeypatch):
    monkeypatch.setattr(safety.Relay, "drive", lambda self: self._hal.relay_feed(self._number))
    assert run_command("cp-c-to-b") == 1
    assert "FAIL relay1.drive False" in capsys.readouterr().out


def test_command_lists_and_refuses(capsys, tmp_path):
    assert run_command("--list") == 0
    assert len(capsys.readouterr().out.splitlines()) == len(SHORT)
    assert run_command("--folder", str(tmp_path)) == 2
    assert "no case files" in capsys.readouterr().err
    assert run_command("nonsense") == 2
    assert "no case is called nonsense" in capsys.readouterr().err
