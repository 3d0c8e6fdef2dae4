"""`vsecc mcu flash` end to end: mpremote's transport against MicroPython with flash, console, host line."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import tty
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import serial

from vsecc_cli.main import main
from vsecc_host.mcu_flash.coming_up import ask
from vsecc_host.mcu_flash.console import open_console
from vsecc_host.mcu_flash.errors import FlashError
from vsecc_host.mcu_flash.image_set import ImageSet
from vsecc_mcu.bench import Bench
from vsecc_mcu.build import build
from vsecc_mcu.flash import Target, flash, inspect, rollback
from vsecc_sim.mcu.interpreter import find_micropython

ROOT = Path(__file__).resolve().parents[2]
EVERY_WRITE = Path(__file__).with_name("every_write.py")
ALL = bool(os.environ.get("VSECC_FLASH_ALL") or os.environ.get("CI"))
INTERPRETER = find_micropython()
pytestmark = pytest.mark.skipif(INTERPRETER is None, reason="no MicroPython here")


def quiet(_step: str, _done: int, _total: int) -> None:
    """No progress to show."""


@pytest.fixture(scope="module")
def image() -> ImageSet:
    arch = {"i386": "x86", "amd64": "x64", "armhf": "armv7emsp"}[INTERPRETER.arch if INTERPRETER else "i386"]
    return build(arch)


def changed(image: ImageSet, text: str, name: str = "mcu/extra.py") -> ImageSet:
    """The same program with one more file."""
    return replace(image, files={**image.files, name: text.encode()})


def broken(image: ImageSet, text: str) -> ImageSet:
    """A program whose entry is another."""
    files = {name: content for name, content in image.files.items() if name != "mcu/main.mpy"}
    return replace(image, files={**files, "mcu/main.py": text.encode()})


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path) as bench:
        yield bench


@pytest.fixture(scope="module")
def flashed(tmp_path_factory: pytest.TempPathFactory, image: ImageSet) -> bytes:
    """Flash content of a device with the program settled in slot a."""
    with Bench(tmp_path_factory.mktemp("first")) as bench:
        flash(Target(port=bench.port), quiet, image=image)
        return bench.flash_path.read_bytes()


@pytest.fixture
def device(tmp_path: Path, flashed: bytes) -> Iterator[Bench]:
    """A device that was flashed before."""
    (tmp_path / "chip.flash").write_bytes(flashed)
    with Bench(tmp_path, journal="journal") as bench:
        yield bench


def test_a_new_device_is_flashed_by_the_command_and_says_hello(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mcu", "flash", "--port", bench.port, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["changed"] and report["slot"] == "a" and report["running"] == report["image_sha256"]
    assert ask(bench.link, 5.0).image_sha256 == report["image_sha256"]
    assert main(["mcu", "info", "--port", bench.port, "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["slots"]["a"]["complete"] and not info["slots"]["b"]["files"] and not info["on_trial"]
    assert main(["mcu", "flash", "--port", bench.port, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["up_to_date"]
    assert main(["mcu", "rollback", "--port", bench.port]) == 1
    assert "no complete program" in capsys.readouterr().err


def test_an_update_sends_what_changed_and_rolls_back(device: Bench, image: ImageSet) -> None:
    target = Target(port=device.port, link=device.link)
    new = changed(image, "X = 1\n")
    outcome = flash(target, quiet, image=new)
    assert outcome.plan.target == "b" and outcome.plan.plan.send == ("mcu/extra.py",)
    assert len(outcome.plan.plan.copy) == len(image.files)
    assert outcome.came_up and outcome.came_up.image_sha256 == new.digest().hex()
    assert rollback(target, quiet).image_sha256 == image.digest().hex()
    state = inspect(target)
    assert state.pointer == "a" and not state.on_trial and state.slots["b"].complete


HANGS = "def main():\n while True:\n  pass\n"
RAISES = "def main():\n raise ValueError('broken')\n"


LONG = pytest.mark.skipif(not ALL, reason="takes minutes; CI runs it, VSECC_FLASH_ALL=1 too")
NOT_STARTING = [
    pytest.param("raise ImportError('no')\n", id="import"),
    pytest.param(RAISES, id="start", marks=LONG),
]


@pytest.mark.parametrize("text", NOT_STARTING)
def test_a_program_that_does_not_start_is_left_by_the_device(
    device: Bench, image: ImageSet, text: str
) -> None:
    with pytest.raises(
        FlashError, match=f"did not come up; the device went back to {image.digest().hex()[:12]}"
    ):
        flash(Target(port=device.port), quiet, image=broken(image, text))
    state = inspect(Target(port=device.port))
    assert state.pointer == "a" and state.running == "a" and not state.on_trial


@LONG
def test_a_program_that_hangs_is_left_by_the_device(device: Bench, image: ImageSet) -> None:
    with pytest.raises(FlashError, match="went back to"):
        flash(Target(port=device.port, come_up_s=60), quiet, image=broken(image, HANGS))
    assert ask(device.link, 5.0).image_sha256 == image.digest().hex()


def interrupted(device: Bench, image: ImageSet, operation: int, cut: Callable[[], None]) -> tuple[bool, int]:
    """One flash with the cut at one operation: (did it get that far?, operations there were)."""
    count = 0

    def on_operation(number: int) -> None:
        nonlocal count
        count = number
        if number == operation:
            cut()

    try:
        flash(Target(port=device.port, on_operation=on_operation), quiet, image=image)
    except FlashError:
        assert count >= operation
        return True, count
    return count >= operation, count


def cut_everywhere(device: Bench, image: ImageSet, cut: Callable[[], None], mend: Callable[[], None]) -> int:
    """Cuts at one operation after the other; each time a complete program boots and a flash succeeds."""
    version, operation, step = 0, 1, 1 if ALL else 9
    while True:
        new = changed(image, f"X = {version}\n")
        reached, count = interrupted(device, new, operation, cut)
        if not reached:
            return count
        mend()
        state = inspect(Target(port=device.port))
        running = state.running
        assert running and state.slots[running].complete, (operation, state)
        outcome = flash(Target(port=device.port), quiet, image=new)
        assert not outcome.changed or outcome.came_up is not None
        version += 1
        operation += step


def test_the_cable_may_go_at_every_operation(device: Bench, image: ImageSet) -> None:
    def mend() -> None:
        device.power_off()
        device.plug()
        device.power_on()

    assert cut_everywhere(device, image, device.pull, mend) >= 15


def test_power_may_go_at_every_operation(device: Bench, image: ImageSet) -> None:
    assert cut_everywhere(device, image, device.power_off, device.power_on) >= 15


def test_a_device_whose_cable_was_pulled_comes_back_by_itself(device: Bench, image: ImageSet) -> None:
    reached, _ = interrupted(device, changed(image, "X = 1\n"), 12, device.pull)
    assert reached
    assert ask(device.link, 30.0).image_sha256 == image.digest().hex()
    device.plug()
    device.wait_for_port()
    assert flash(Target(port=device.port), quiet, image=changed(image, "X = 1\n")).came_up


def test_mpremote_itself_works_at_the_console(device: Bench, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("kept" * 300)
    port = os.path.realpath(tmp_path / "console")
    command = [sys.executable, "-m", "mpremote", "connect", port]
    content = hashlib.sha256(b"kept" * 300).hexdigest()
    copy = ["resume", "fs", "cp", str(tmp_path / "note.txt"), ":note.txt", "+", "fs", "sha256sum", "note.txt"]
    done = subprocess.run([*command, *copy], capture_output=True, text=True, timeout=30, check=True)
    assert content in done.stdout
    soft_reset = ["exec", "print(len(open('note.txt').read()), 'mcu' in globals())"]
    done = subprocess.run([*command, *soft_reset], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "1200 False"


def test_info_over_the_host_line_leaves_the_program_alone(
    device: Bench, image: ImageSet, capsys: pytest.CaptureFixture[str]
) -> None:
    boots = device.mcu.boots
    assert main(["mcu", "info", "--link", device.link, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["image_sha256"] == image.digest().hex()
    assert device.mcu.boots == boots


def test_power_may_go_at_every_write_of_the_flash(tmp_path: Path, image: ImageSet, flashed: bytes) -> None:
    """The flash is stood up as it was after each write of one flashing, and after half of the next."""
    assert INTERPRETER is not None
    (tmp_path / "chip.flash").write_bytes(flashed)
    journal = tmp_path / "journal"
    new = changed(changed(image, "X = 1\n" * 2000), "# another\n" * 1000, "mcu/more.py")
    with Bench(tmp_path, journal="journal") as device:
        ask(device.link, 5.0)
        (tmp_path / "before.flash").write_bytes(device.flash_path.read_bytes())
        start = journal.stat().st_size
        flash(Target(port=device.port), quiet, image=new)
    (tmp_path / "writes").write_bytes(journal.read_bytes()[start:])
    argv = [str(EVERY_WRITE), str(ROOT / "mcu"), str(tmp_path / "before.flash"), str(tmp_path / "writes")]
    digests = [image.digest().hex(), new.digest().hex()]
    command = INTERPRETER.argv("-X", "heapsize=16m", *argv, "1" if ALL else "8", *digests)
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"writes (\d+) looked (\d+) \[(\d+), (\d+)\]", done.stdout)
    assert found and int(found[1]) > 100 and int(found[3]) > 0 and int(found[4]) > 0, done.stdout


def test_a_crash_is_kept_over_the_reset_shown_and_told(
    device: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not ask(device.link, 5.0).crash
    device.inject("mcu-exception")
    told = ask(device.link, 10.0)
    assert told.reset_cause == "fatal error" and "injected" in told.crash and "RELAY_STATE" in told.crash
    assert main(["mcu", "info", "--port", device.port, "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["crash"]["cause"] == "fatal error" and info["crash"]["text"] == told.crash
    assert info["reset_cause"] == "fatal error"
    device.wait_for_port()
    again = ask(device.link, 10.0)
    assert not again.crash and again.reset_cause == "commanded", "told once"


def test_a_hang_is_reported_by_the_next_start(device: Bench) -> None:
    assert not ask(device.link, 5.0).crash
    device.inject("mcu-hang")
    told = ask(device.link, 10.0)
    assert told.reset_cause == "watchdog" and "the program stood still in its" in told.crash


def put(device: Bench, files: dict[str, bytes], program: str = "") -> None:
    """Files of any content onto the device, past all our care; then it restarts."""
    console = open_console(device.port, wait_s=5.0)
    for name, content in files.items():
        console.write_file(name, content)
    console.run(program)
    console.restart()


def test_a_damaged_pointer_report_or_mark_leaves_a_device_that_boots_and_is_flashed(
    device: Bench, image: ImageSet, capsys: pytest.CaptureFixture[str]
) -> None:
    rubbish = bytes(range(256)) * 20
    put(device, {"/slot": rubbish, "/crash": rubbish})
    assert ask(device.link, 10.0).image_sha256 == image.digest().hex()
    put(device, {"/slot": rubbish, "/a/complete": rubbish, "/crash": b"3 5\n" + rubbish})
    assert ask(device.link, 10.0).image_sha256 == image.digest().hex()
    assert main(["mcu", "info", "--port", device.port, "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert not info["slots"]["a"]["complete"] and info["slot"] == "a" and info["crash"]["uptime_s"] == 0.005
    new = changed(image, "X = 1\n")
    outcome = flash(Target(port=device.port), quiet, image=new)
    assert (
        outcome.plan.target == "b" and outcome.came_up and outcome.came_up.image_sha256 == new.digest().hex()
    )


def test_the_pointer_is_lost_and_only_the_other_slot_is_complete(device: Bench, image: ImageSet) -> None:
    new = changed(image, "X = 1\n")
    assert flash(Target(port=device.port), quiet, image=new).plan.target == "b"
    put(device, {"/slot": b"\xff" * 100}, "os.remove('/a/complete')\nos.remove('/a/mcu/main.mpy')")
    assert ask(device.link, 10.0).image_sha256 == new.digest().hex(), "at once, not after three attempts"
    state = inspect(Target(port=device.port))
    assert state.pointer == "b" and not state.on_trial and state.base() == "b"


def test_a_failed_flash_restarts_the_device_at_once(device: Bench, image: ImageSet, tmp_path: Path) -> None:
    (tmp_path / "source" / "mcu").mkdir(parents=True)
    assert main(["mcu", "flash", "--port", device.port, "--source", str(tmp_path / "source")]) == 1
    found = ask(device.link, 5.0)  # long before the watchdog of 8 s
    assert found.image_sha256 == image.digest().hex() and found.reset_cause == "commanded"


READ_ONLY = """
import vfs
_fs = [found for found, path in vfs.mount() if path == '/'][0]
vfs.umount('/')
vfs.mount(_fs, '/', readonly=True)
"""


def test_a_file_system_that_takes_nothing_is_named(device: Bench, image: ImageSet) -> None:
    console = open_console(device.port)
    console.run(READ_ONLY)
    console.close()
    with pytest.raises(FlashError, match="the device's file system is read-only"):
        flash(Target(port=device.port), quiet, image=changed(image, "X = 1\n"))
    assert ask(device.link, 5.0).image_sha256 == image.digest().hex()


def test_ctrl_c_leaves_a_device_that_runs(device: Bench, image: ImageSet) -> None:
    for number, operation in enumerate((1, 2, 6, 13, 21)):

        def on_operation(count: int, operation: int = operation) -> None:
            if count == operation:
                raise KeyboardInterrupt

        device.wait_for_port()
        with pytest.raises(KeyboardInterrupt):
            flash(
                Target(port=device.port, on_operation=on_operation),
                quiet,
                image=changed(image, f"X = {number}\n"),
            )
        assert ask(device.link, 6.0).image_sha256 == image.digest().hex(), operation


def test_reset_goes_over_the_host_line_alone(device: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    ask(device.link, 5.0)
    boots = device.mcu.boots
    assert main(["mcu", "reset", "--link", device.link, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"reset": True}
    assert ask(device.link, 10.0).reset_cause == "commanded" and device.mcu.boots == boots + 1
    assert main(["mcu", "reset"]) == 2
    assert capsys.readouterr().err == "vsecc: name the device: --port, or --link for its line to the host\n"


@pytest.mark.parametrize("port", ["absent", "busy", "silent", "echo", "chatter", "tcp", "file"])
def test_ports_that_are_no_device_are_told_in_one_line(
    tmp_path: Path, port: str, capsys: pytest.CaptureFixture[str]
) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    path, words = (
        os.ttyname(slave),
        {
            "absent": "no device there",
            "busy": "busy, another program has it open",
            "tcp": "refused",
            "file": "is no serial port",
        },
    )
    if port == "busy":
        holder = serial.Serial(path, exclusive=True)
    elif port in ("absent", "tcp"):
        path = {"absent": str(tmp_path / "ttyACM9"), "tcp": "tcp://127.0.0.1:9"}[port]
    elif port == "file":
        path = str(tmp_path)
    elif port in ("echo", "chatter"):
        threading.Thread(target={"echo": echo, "chatter": chatter}[port], args=(master,), daemon=True).start()
    assert main(["mcu", "flash", "--port", path, "--wait", "0"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("vsecc: ")
    assert words.get(port, "no MicroPython answers") in error
    if port == "busy":
        holder.close()
    os.close(slave)
    os.close(master)


def echo(master: int) -> None:
    """A modem that sends everything back."""
    with contextlib.suppress(OSError):
        while data := os.read(master, 256):
            os.write(master, data)


def chatter(master: int) -> None:
    """A device that never stops talking."""
    with contextlib.suppress(OSError):
        while True:
            os.write(master, b"$GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M\r\n" * 8)


def test_what_does_not_fit_is_refused_before_anything_is_written(device: Bench, image: ImageSet) -> None:
    before = device.flash_path.read_bytes()
    too_much = changed(image, "#" * 1_500_000)
    with pytest.raises(FlashError, match=r"too little flash: .* KiB are needed"):
        flash(Target(port=device.port), quiet, image=too_much)
    device.wait_for_port()
    with pytest.raises(FlashError, match="is for armv6m, the device runs"):
        flash(Target(port=device.port), quiet, image=replace(image, arch="armv6m"))
    assert device.flash_path.read_bytes() == before


def test_a_line_that_its_host_holds_is_not_taken(device: Bench) -> None:
    """A serial line belongs to one: the host that has it may be charging."""
    master, slave = os.openpty()
    line = f"pty://{os.ttyname(slave)}"
    held = serial.Serial(os.ttyname(slave), exclusive=True)
    boots = device.mcu.boots
    with pytest.raises(FlashError, match="--force goes on at the console"):
        inspect(Target(port=device.port, link=line))
    assert device.mcu.boots == boots
    assert inspect(Target(port=device.port, link=line, force=True)).pointer == "a"
    held.close()
    os.close(master)
    os.close(slave)
