"""Crash reports: written once outputs are safe, few enough for the flash, told to the host after hello."""

import os

from unit.mcu.boards import Bench, FakeBoard
from unit.mcu.hosts import Host

from mcu import crash, main
from mcu.hal.sim import Hal
from vsecc_link import messages

PATH = "/tmp/vsecc_crash_test_%d" % (id(object()) & 0xFFFFFF)
UNMARKED = 0x3FFFFFFF  # what a register may hold after a power-on


def fail(depth):
    if depth:
        fail(depth - 1)
    raise ValueError("no sense in this: \u2026")


def raised(depth=2):
    try:
        fail(depth)
    except ValueError as error:
        return error
    return None


def board_with(*registers):
    board = FakeBoard()
    board.crash_file = PATH
    board.registers = [0] + list(registers)
    return board


def forget():
    try:
        os.remove(PATH)
    except OSError:
        pass


def test_report_names_error_place_and_last_messages():
    frames = crash.Frames()
    for number in range(20):
        frames.note(messages.GRANT if number < 18 else messages.SET_PILOT)
    text = crash.describe(raised(), frames)
    assert "ValueError" in text and "no sense in this: ?" in text and "fail" in text
    assert text.endswith("last messages: " + "GRANT " * 14 + "SET_PILOT SET_PILOT")
    assert len(text) <= crash.TEXT_MAX


def test_long_traceback_keeps_its_end():
    text = crash.describe(raised(40), crash.Frames())
    assert len(text.encode()) <= crash.TEXT_MAX and "ValueError" in text
    text = crash.describe(ValueError("x" * 2000 + " the end"), crash.Frames())
    assert len(text) == crash.TEXT_MAX and text.endswith("x the end\nlast messages: ")


def test_a_watchdog_report_names_where_the_loop_stood():
    assert crash.describe_watchdog(13 << 8 | 1).endswith("in its inputs and host line, cycle 13 of the round")
    assert crash.describe_watchdog(2 << 8).endswith("in its control path, cycle 2 of the round")
    assert crash.describe_watchdog(0x3FFFFFFF).endswith("host line, cycle 255 of the round")


def test_saved_report_is_loaded_and_told_in_parts():
    forget()
    hal = Hal(board_with(UNMARKED, 0, 0))
    text = "a" * 119 + "b" * 119 + "c" * 30
    assert crash.save(hal, crash.CAUSE_FATAL, 1234, text)
    assert crash.load(PATH) == (crash.CAUSE_FATAL, 1234, text)
    assert crash.at_start(hal, crash.CAUSE_FATAL) == (crash.CAUSE_FATAL, 1234, text)
    parts = crash.parts((crash.CAUSE_FATAL, 1234, text), 77)
    assert [message[4:6] for message in parts] == [(1, 3), (2, 3), (3, 3)]
    assert "".join([message[6] for message in parts]) == text
    assert [messages.check(message) for message in parts] == [None] * 3
    forget()


def test_anything_in_the_file_is_no_crash_of_its_own():
    for content in ("", "x", "1\n", "1 2 3\nx", "one two\nx", "\x00" * 50, "6 5\nx", "-1 5\nx", "3 -1\nx",
                    "3 4294967296\nx"):  # fmt: skip
        assert crash.parse(content) is None
    for content in (b"\xff\xfe" * 3000, b"3 5\n" + b"\xff" * 3000, b"1" * 3000):
        with open(PATH, "wb") as stream:
            stream.write(content)
        assert crash.load(PATH) is None
        assert crash.at_start(Hal(board_with(0, 0, 0)), crash.CAUSE_FATAL) is None
    with open(PATH, "wb") as stream:
        stream.write(b"3 5\n" + "w\u00e9rse\x1b[2J".encode() * 400)
    cause, uptime_ms, text = crash.load(PATH)
    assert (cause, uptime_ms) == (3, 5) and text.startswith("w?rse?[2Jw") and len(text) <= crash.TEXT_MAX
    forget()
    assert crash.load("/tmp/there/is/none") is None


def test_a_board_without_a_place_for_it_keeps_no_report():
    hal = Hal(FakeBoard())
    assert not crash.save(hal, crash.CAUSE_FATAL, 1234, "lost")
    assert crash.at_start(hal, crash.CAUSE_FATAL) is None


def test_a_crash_loop_stops_wearing_the_flash():
    forget()
    board = board_with(crash._STARTS_MARK | 2, 0, 0)
    written = sum([crash.save(Hal(board), crash.CAUSE_FATAL, 300, "x") for _ in range(50)])
    assert written == crash.REPORTS_MAX
    assert board.registers[crash.STARTS] & 0xFF == 2, "the count of starts is boot.py's"
    assert crash.save(Hal(board), crash.CAUSE_FATAL, crash.LONG_RUN_MS, "x")
    forget()


def test_watchdog_reset_is_reported_by_the_next_start():
    forget()
    bench = Bench()
    bench.board.registers = bench.hal._registers
    Host(bench).link_up().cycles(500)
    progress, rounds = bench.hal.kept(crash.PROGRESS), bench.hal.kept(crash.ROUNDS)
    assert 25 <= rounds <= 80
    cause, uptime_ms, text = crash.at_start(Hal(board_with(0, progress, rounds)), crash.CAUSE_WATCHDOG)
    assert cause == crash.CAUSE_WATCHDOG and uptime_ms == rounds * 16
    assert "stood still in its inputs and host line" in text
    assert crash.load(PATH) == (cause, uptime_ms, text)
    forget()


def test_a_program_stopped_by_a_person_has_not_crashed():
    hal = Hal(board_with(0, 5, 900))
    crash.ended_well(hal)
    assert crash.at_start(hal, crash.CAUSE_WATCHDOG) is None
    hal = Hal(board_with(0, 5, 900))
    assert crash.at_start(hal, 0) is None
    assert crash.at_start(hal, crash.CAUSE_WATCHDOG) is None, "those rounds were of an earlier run"


def test_host_hears_of_the_crash_after_hello():
    bench = Bench()
    report = (crash.CAUSE_FATAL, 5000, "x" * 200)
    bench.control.link._crash = crash.parts(report, 0)
    host = Host(bench).link_up()
    host.cycles(50)
    told = host.of(messages.CRASH)
    assert [message[2:6] for message in told] == [(5000, 3, 1, 2), (5000, 3, 2, 2)]
    assert "".join([message[6] for message in told]) == "x" * 200
    host.cycles(500)
    assert len(host.of(messages.CRASH)) == 2, "told once"


def fatal(problem):
    """What happened in which order when the loop failed, and saving met with a problem."""
    order = []
    board = FakeBoard()
    original = crash.save

    def save(_hal, *_details):
        order.append(("save", list(board.duty[1:])))
        if problem:
            raise problem

    def no_time(_time_us):
        raise ValueError("stop here")

    board.idle_until_us = no_time
    crash.save = save
    try:
        main.run(Hal(board))
    except SystemExit:
        order.append(("reset", board.reset_with))
    finally:
        crash.save = original
    return order


def test_fatal_path_drives_f_before_it_writes_and_resets_even_when_writing_fails():
    for problem in (None, MemoryError("none left")):
        assert fatal(problem) == [("save", [0, 0]), ("reset", crash.CAUSE_FATAL)]
