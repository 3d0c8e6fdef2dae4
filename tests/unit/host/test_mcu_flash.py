"""What a flash would do, as values: plans, digests, and what does not fit."""

from __future__ import annotations

import errno
import hashlib
import struct
from dataclasses import replace
from pathlib import Path

import pytest
import serial
from mpremote.transport import TransportError, TransportExecError

from mcu import image as on_device
from vsecc_host.mcu_flash.console import Console, _translated
from vsecc_host.mcu_flash.device import DeviceState, Identity, Slot, read_identity
from vsecc_host.mcu_flash.errors import ConnectionLost, FlashError, NoPrompt
from vsecc_host.mcu_flash.flasher import is_running, make_plan
from vsecc_host.mcu_flash.image_set import ImageSet, folders, plan
from vsecc_host.mcu_flash.port import device_path

FILES = {"mcu/main.mpy": b"one", "mcu/hal/pico.mpy": b"two" * 500, "vsecc_link/link.mpy": b"three"}
IMAGE = ImageSet("1.0", "armv6m", FILES, {"boot.py": b"boot"})


def slot(letter: str, image: ImageSet | None, recorded: str = "") -> Slot:
    digest = image.digest().hex() if image else hashlib.sha256().hexdigest()
    return Slot(letter, image.hashes() if image else {}, recorded, digest)


def state(
    pointer: str | None,
    a: Slot,
    b: Slot,
    *,
    on_trial: bool = False,
    running: str | None = None,
    free: int = 300,
) -> DeviceState:
    return DeviceState(
        identity=Identity("micropython", (1, 28, 0), "Raspberry Pi Pico with RP2040", (6, 3, "armv6m")),
        pointer=pointer,
        on_trial=on_trial,
        running=running,
        slots={"a": a, "b": b},
        root={"boot.py": hashlib.sha256(b"boot").digest()},
        block_bytes=4096,
        free_blocks=free,
        heap_free=100_000,
        heap_used=50_000,
        crash=None,
        reset_cause=0,
    )


def full(letter: str, image: ImageSet = IMAGE) -> Slot:
    return slot(letter, image, image.digest().hex())


def test_s8_digest_is_the_one_the_device_computes(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    found = [
        entry
        for package in ("mcu", "vsecc_link")
        for entry in on_device.files_of(f"{tmp_path}/{package}", package)
    ]
    assert on_device.digest(found) == IMAGE.digest()


def test_plan_keeps_what_is_there_copies_what_the_other_slot_has_and_sends_the_rest() -> None:
    hashes = IMAGE.hashes()
    target = {"mcu/main.mpy": hashes["mcu/main.mpy"], "old.mpy": b"x", "vsecc_link/link.mpy": b"wrong"}
    base = {"elsewhere/pico.mpy": hashes["mcu/hal/pico.mpy"]}
    steps = plan(IMAGE, target, base, "/a")
    assert steps.keep == ("mcu/main.mpy",) and steps.send == ("vsecc_link/link.mpy",)
    assert steps.copy == (("/a/elsewhere/pico.mpy", "mcu/hal/pico.mpy"),)
    assert steps.remove == ("old.mpy", "vsecc_link/link.mpy") and not steps.is_empty
    assert plan(IMAGE, hashes, {}, "/a").is_empty
    assert folders(tuple(FILES)) == ["mcu", "mcu/hal", "vsecc_link"]


def test_the_slot_that_runs_is_never_the_target() -> None:
    other = ImageSet("2.0", "armv6m", {**FILES, "mcu/new.mpy": b"4"})
    cases = (
        (state(None, slot("a", None), slot("b", None)), None, "a"),
        (state("a", full("a"), slot("b", None)), "a", "b"),
        (state("b", full("a"), full("b")), "b", "a"),
        (state("b", full("a"), full("b"), on_trial=True), "a", "b"),
        (state("b", slot("a", IMAGE, "half"), full("b"), on_trial=True), "b", "a"),
        (state(None, full("a"), slot("b", None), running="a"), "a", "b"),
        # A damaged pointer or slot: what is complete stays, whatever runs or is named.
        (state(None, slot("a", IMAGE, "half"), full("b"), running="a"), "b", "a"),
        (state("a", slot("a", IMAGE, "half"), full("b"), running="a"), "b", "a"),
        (state("a", slot("a", IMAGE, "half"), slot("b", IMAGE, "half"), running="a"), "a", "b"),
        (state("a", slot("a", None), slot("b", IMAGE, "half")), "b", "a"),
        (state("a", slot("a", None), slot("b", None)), None, "a"),
    )
    for device, base, target in cases:
        found = make_plan(device, other)
        assert (found.base, found.target) == (base, target), device


def test_a_slot_whose_files_are_not_the_recorded_ones_is_not_complete() -> None:
    assert full("a").complete
    assert not slot("a", IMAGE).complete and not slot("a", IMAGE, "00").complete
    assert not slot("a", None, hashlib.sha256().hexdigest()).complete


def test_only_a_settled_whole_image_counts_as_running() -> None:
    empty = slot("b", None)
    assert is_running(state("a", full("a"), empty, running="a"), IMAGE)
    assert not is_running(state("a", full("a"), empty, on_trial=True), IMAGE)
    assert not is_running(state("a", slot("a", IMAGE), empty), IMAGE)
    assert not is_running(state("a", full("a"), full("b"), running="b"), IMAGE)
    newer_boot = ImageSet("1.0", "armv6m", FILES, {"boot.py": b"another"})
    assert not is_running(state("a", full("a"), empty), newer_boot)


def test_too_little_flash_and_the_wrong_chip_are_refused() -> None:
    with pytest.raises(FlashError, match="too little flash"):
        make_plan(state("a", full("a"), slot("b", None), free=8), IMAGE)
    with pytest.raises(FlashError, match="the image is for armv7emsp"):
        make_plan(state("a", full("a"), slot("b", None)), ImageSet("1.0", "armv7emsp", FILES))


def test_a_plan_counts_whole_blocks_folders_and_what_goes() -> None:
    empty = state(None, slot("a", None), slot("b", None))
    # Three files of a block each, two bytes a folder entry, mcu, mcu/hal and vsecc_link; spare blocks.
    assert make_plan(empty, IMAGE).needed_blocks == 3 + 2 * 3 + 6
    large = ImageSet("1.0", "armv6m", {"mcu/main.mpy": b"x" * 4097}, {"boot.py": b"new boot"})
    assert make_plan(empty, large).needed_blocks == 2 + 1 + 2 * 1 + 6
    tight = state("a", full("a"), slot("b", IMAGE, "half"), free=10)
    with pytest.raises(FlashError, match="44 KiB are needed, 40 KiB are free"):
        make_plan(replace(tight, slots={**tight.slots, "b": slot("b", None)}), large)
    assert make_plan(tight, large).plan.remove, "what is removed makes room"


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (("circuitpython", (9, 0, 0), "x", 0), "runs circuitpython, not MicroPython"),
        (("micropython", (1, 21, 9), "x", 0), r"MicroPython 1\.21\.9 is too old, 1\.22 or newer"),
    ],
)
def test_interpreters_we_cannot_use_are_refused(told: tuple[object, ...], problem: str) -> None:
    with pytest.raises(FlashError, match=problem):
        read_identity(Answering(told))
    assert read_identity(Answering(("micropython", (1, 22, 0), "Pico", 6 | 3 << 8 | 4 << 10))).mpy == (
        6,
        3,
        "armv6m",
    )


class Answering(Console):
    """A prompt that gives one answer."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def value(self, expression: str) -> object:
        return self._answer


def test_ports_are_devices_or_urls() -> None:
    assert device_path("/dev/null") == "/dev/null"
    assert device_path("serial:///dev/null?baud=115200") == "/dev/null"
    assert device_path("tcp://127.0.0.1:5") == "socket://127.0.0.1:5"
    for port in ("http://x", "tcp://x", "tcp://x:99999", "tcp://x:y", "iface://eth0"):
        with pytest.raises(FlashError, match="expected"):
            device_path(port)


@pytest.mark.parametrize(
    ("raised", "kind", "text"),
    [
        (TransportExecError(b"", "Traceback:\nOSError: 30\r\n"), FlashError, "file system is read-only"),
        (TransportExecError(b"", "OSError: [Errno 28] ENOSPC\r\n"), FlashError, "flash is full"),
        (OSError(errno.ENOSPC, "/a/x.new"), FlashError, "flash is full"),
        (TransportExecError(b"", "OSError: 128"), FlashError, "the device says: OSError: 128"),
        (TransportExecError(b"", "MemoryError: "), FlashError, "the device says: MemoryError:"),
        (TransportError("could not enter raw repl"), NoPrompt, "no MicroPython answers"),
        (TransportError("timeout waiting for first EOF reception"), ConnectionLost, "lost the console"),
        (serial.SerialException(errno.ENOSPC, "gone"), ConnectionLost, "lost the console"),
        (OSError(errno.EIO, "gone"), ConnectionLost, "lost the console"),
        (struct.error("unpack requires 2 bytes"), ConnectionLost, "lost the console"),
        (SyntaxError("("), ConnectionLost, "nonsense"),
    ],
)
def test_what_the_transport_raises_is_told_in_our_words(
    raised: Exception, kind: type[FlashError], text: str
) -> None:
    with pytest.raises(FlashError, match=text) as told, _translated():
        raise raised
    assert type(told.value) is kind
