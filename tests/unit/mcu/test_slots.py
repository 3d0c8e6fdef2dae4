"""Slots: what boot.py chooses, and how a program on trial settles its slot."""

import os
import sys

from unit.mcu.boards import Bench

import mcu
from mcu import crash, slots

ROOT = "/tmp/vsecc_slots_test_%d" % (id(object()) & 0xFFFFFF)
MARK = 0x2A5A0000


class Machine:
    """The chip as boot.py sees it."""

    def __init__(self, register):
        self.memory = {}
        self.register = register
        self.armed_ms = None
        machine = self

        class Pin:
            OUT = 1

            def __init__(self, number, mode, value):
                assert value == 0

        class Memory:
            def __getitem__(self, address):
                return machine.register

            def __setitem__(self, address, value):
                machine.register = value

        def watchdog(timeout):
            machine.armed_ms = timeout

        self.Pin = Pin
        self.mem32 = Memory()
        self.WDT = watchdog
        self.reset = None


def make(pointer, complete):
    for folder in (ROOT, ROOT + "/a", ROOT + "/b"):
        try:
            os.mkdir(folder)
        except OSError:
            pass
    for path in ("/slot", "/a/complete", "/b/complete"):
        try:
            os.remove(ROOT + path)
        except OSError:
            pass
    if pointer is not None:
        write("/slot", pointer)
    for letter in complete:
        write("/" + letter + "/complete", "x")


def write(path, content):
    with open(ROOT + path, "wb") as stream:
        stream.write(content if isinstance(content, bytes) else content.encode())


def boot(pointer, complete="ab", register=MARK):
    """(slot, machine) after boot.py ran on such a flash."""
    make(pointer, complete)
    machine = Machine(register)
    with open(mcu.__file__.replace("\\", "/").rsplit("/", 1)[0] + "/boot.py") as stream:
        source = (
            stream.read()
            .replace('"/slot"', repr(ROOT + "/slot"))
            .replace('os.stat("/"', 'os.stat("%s/"' % ROOT)
        )
    before = sys.modules.get("machine")
    had = "machine" in sys.modules
    path = list(sys.path)
    sys.modules["machine"] = machine
    source = source.replace("sys.implementation._machine", "'a board with RP2350'")
    names = {"__name__": "__main__"}
    exec(source, names)
    if had:
        sys.modules["machine"] = before
    else:
        del sys.modules["machine"]
    assert sys.path[0] == "/" + names["active_slot"]
    sys.path[:] = path
    return names["active_slot"], machine


def test_pointer_names_the_slot_and_anything_else_means_the_first():
    assert boot("a")[0] == "a" and boot("b")[0] == "b" and boot("b\n")[0] == "b" and boot("b?")[0] == "b"
    for text in (None, "", "?", "c", "b!", "ab", "bb", "b??", " "):
        assert boot(text)[0] == "a"


def test_a_damaged_pointer_never_keeps_the_device_from_its_program():
    for content in (b"\xff\xfe\x00", b"b\x80", b"b?" * 3000, b"\x00" * 5000, bytes(range(128, 256)) * 20):
        assert boot(content)[0] == "a"
        assert boot(content, "b")[0] == "b", "only that one is complete"
        assert not slots.is_settled("a", ROOT + "/slot") and not slots.is_settled("b", ROOT + "/slot")


def test_where_only_the_other_slot_is_complete_that_one_is_tried_at_once():
    for pointer in (None, "a", "a?"):
        slot, machine = boot(pointer, "b")
        assert slot == "b" and machine.armed_ms == 8000
    assert boot("b", "a")[0] == "a"
    assert boot("b", "")[0] == "b", "nothing to choose from: files put there by hand"


def test_a_program_on_trial_has_a_watchdog_a_settled_one_has_none():
    assert boot("b?")[1].armed_ms == 8000
    assert boot("b")[1].armed_ms is None


def test_three_starts_without_proof_give_the_other_slot_its_turn():
    register, seen = 0, []
    for _ in range(9):
        slot, machine = boot("b?", "ab", register)
        register = machine.register
        seen.append((slot, machine.armed_ms))
    assert seen == [("b", 8000)] * 3 + [("a", 8000)] * 3 + [("b", 8000)] * 3


def test_an_incomplete_slot_never_has_a_turn():
    assert boot("b", "b", MARK | 3)[0] == "b"
    assert boot("a?", "a", MARK | 4)[0] == "a"


def test_starts_are_counted_beside_the_count_of_reports():
    assert boot("a", "ab", 0x3FFFFFFF)[1].register == MARK | 1, "after a power-on it may hold anything"
    assert boot("a", "ab", MARK | 0x500 | 1)[1].register == MARK | 0x500 | 2
    assert boot("a", "ab", MARK | 127)[1].register == MARK | 128
    assert boot("a", "ab", MARK | 0x500 | 255)[1].register == MARK | 0x500


def test_a_proved_program_settles_its_slot_and_clears_the_starts():
    for pointer, letter, trial in (
        ("b?", "b", True),
        ("b?", "a", True),
        ("a", "a", False),
        (None, "a", True),
    ):
        make(pointer, "ab")
        bench = Bench()
        bench.hal.keep(crash.STARTS, MARK | 0x300 | 2)
        start = bench.board.time_us
        assert slots.prove(bench.hal, bench.control, letter, ROOT + "/slot") is trial
        cycles = slots.TRIAL_CYCLES if trial else slots.SETTLED_CYCLES
        assert bench.board.time_us - start == cycles * 1000
        assert bench.hal.kept(crash.STARTS) == MARK | 0x300
        with open(ROOT + "/slot") as stream:
            assert stream.read() == letter
        assert boot_again() == letter
        assert bench.board.watchdog_fed == 0 and bench.board.feeds == [0] * 4


def test_a_damaged_mark_records_no_digest():
    make("a", "")
    for content, digest in ((b"ab" * 32, b"\xab" * 32), (b"\xff" * 64, None), (b"xyz", None)):
        write("/a/complete", content)
        assert slots.recorded_digest("a", ROOT + "/") == digest
    write("/a/complete", b"ab" * 40000)
    assert len(slots.recorded_digest("a", ROOT + "/")) == 40
    assert slots.recorded_digest("b", ROOT + "/") is None and slots.recorded_digest("") is None


def boot_again():
    with open(ROOT + "/slot") as stream:
        pointer = stream.read()
    return boot(pointer)[0]


def test_a_program_outside_of_the_slots_has_nothing_to_prove():
    bench = Bench()
    assert slots.own_letter() == "" and slots.prove(bench.hal, bench.control) is False
    assert bench.board.time_us == Bench().board.time_us
    assert slots.own_letter("/b/mcu/slots.mpy") == "b" and slots.own_letter("/c/mcu/slots.mpy") == ""
    assert slots.own_letter("/b/copy/mcu/slots.mpy") == "" and slots.own_letter("/b") == ""


def test_a_program_that_was_on_trial_feeds_the_watchdog_without_a_host():
    bench = Bench()
    bench.cycles(10)
    assert bench.board.watchdog_fed == 0
    bench.control.must_feed = True
    bench.cycles(10)
    assert bench.board.watchdog_fed == 10
