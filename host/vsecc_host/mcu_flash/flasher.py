"""The steps of a flash. Power or cable may go at any of them: the pointer always names a complete slot.

The running slot is never written. The other one loses its mark of completeness first and gets it back last,
when the device has checked every file; then the pointer changes by one rename, to a slot on trial (boot.py).
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass

from vsecc_host.mcu_flash.console import Console
from vsecc_host.mcu_flash.device import COMPLETE, POINTER, DeviceState, other_slot
from vsecc_host.mcu_flash.errors import FlashError
from vsecc_host.mcu_flash.image_set import ImageSet, Plan, folders, plan

# (step, done, total); bytes where files travel.
Progress = Callable[[str, int, int], None]
# Directory entries and what littlefs writes anew on the way.
_SPARE_BLOCKS = 6


@dataclass(frozen=True, slots=True)
class FlashPlan:
    """What a flash would do: `base` is the slot that stays, None on a new device."""

    target: str
    base: str | None
    plan: Plan
    root: tuple[str, ...]
    send_bytes: int
    needed_blocks: int


def make_plan(state: DeviceState, image: ImageSet) -> FlashPlan:
    """FlashError when the image is not for this device or does not fit."""
    arch = state.identity.mpy[2]
    if image.arch and arch != image.arch:
        raise FlashError(f"the image is for {image.arch}, the device runs {arch}")
    base = state.base()
    target = other_slot(base) if base else "a"
    base_hashes = state.slots[base].hashes if base else {}
    steps = plan(image, state.slots[target].hashes, base_hashes, f"/{base}")
    hashes = ImageSet(image.version, arch, image.root).hashes()
    root = tuple(sorted(name for name in image.root if state.root.get(name) != hashes[name]))
    new = [*steps.send, *(name for _, name in steps.copy)]
    sizes = [len(image.files[name]) for name in new] + [len(image.root[name]) for name in root]
    blocks = (
        sum(-(-size // state.block_bytes) for size in sizes) + 2 * len(folders(tuple(new))) + _SPARE_BLOCKS
    )
    # Not less than one block a file comes free of those that go.
    if blocks > state.free_blocks + len(steps.remove):
        have = (state.free_blocks + len(steps.remove)) * state.block_bytes
        need = blocks * state.block_bytes
        raise FlashError(f"too little flash: {need >> 10} KiB are needed, {have >> 10} KiB are free")
    send = sum(len(image.files[name]) for name in steps.send) + sum(len(image.root[name]) for name in root)
    return FlashPlan(target, base, steps, root, send, blocks)


def is_running(state: DeviceState, image: ImageSet) -> bool:
    """True when the settled slot holds exactly this image already, boot files included."""
    base = state.base()
    return bool(
        base
        and not state.on_trial
        and state.running in (None, base)
        and state.slots[base].complete
        and state.slots[base].recorded == image.digest().hex()
        and not make_plan(state, image).root
    )


class Flasher:
    """Carries a plan out on a device at its prompt."""

    def __init__(self, console: Console, state: DeviceState, image: ImageSet, progress: Progress) -> None:
        """FlashError when the image does not fit; nothing is written yet."""
        self._console = console
        self._state = state
        self._image = image
        self._progress = progress
        self.plan = make_plan(state, image)
        self._folder = f"/{self.plan.target}"

    def run(self) -> None:
        """Everything but the reset. FlashError leaves a device that boots what it booted before."""
        self._hold_base()
        if not self._target_is_ready():
            self._console.run(_REMOVE % f"{self._folder}/{COMPLETE}")
            self._remove()
            self._write()
            self._verify()
            self._console.replace_file(f"{self._folder}/{COMPLETE}", self._image.digest().hex().encode())
        self._write_root()
        point_to(self._console, self.plan.target)

    def _target_is_ready(self) -> bool:
        slot = self._state.slots[self.plan.target]
        return self.plan.plan.is_empty and slot.recorded == self._image.digest().hex()

    def _hold_base(self) -> None:
        """The pointer names the slot that stays, and no trial, before anything else changes."""
        base = self.plan.base
        if base and (self._state.pointer != base or self._state.on_trial):
            self._console.replace_file(POINTER, base.encode())

    def _remove(self) -> None:
        for name in self.plan.plan.remove:
            self._console.run(_REMOVE % f"{self._folder}/{name}")

    def _write(self) -> None:
        steps, image = self.plan.plan, self._image
        done, total = 0, self.plan.send_bytes
        self._console.run(_MAKE_FOLDERS % ([self._folder, *self._folders()],))
        for number, (source, name) in enumerate(steps.copy):
            self._progress("copy", number, len(steps.copy))
            self._console.run(f"_copy({source!r}, {f'{self._folder}/{name}'!r})")
        for name in steps.send:
            start = done
            self._console.write_file(
                f"{self._folder}/{name}",
                image.files[name],
                lambda sent, _size, start=start: self._progress("send", start + sent, total),  # type: ignore[misc]
            )
            done += len(image.files[name])
            self._progress("send", done, total)

    def _folders(self) -> list[str]:
        return [f"{self._folder}/{name}" for name in folders(tuple(sorted(self._image.files)))]

    def _verify(self) -> None:
        """Hashes of what the flash gives back, computed on the device."""
        self._progress("verify", 0, 1)
        found = {n: d for n, d in self._console.value(f"_hashes({self._folder!r})").items() if n != COMPLETE}
        wanted = self._image.hashes()
        bad = sorted(name for name in wanted if found.get(name) != wanted[name])
        if bad or set(found) - set(wanted):
            names = ", ".join((bad or sorted(set(found) - set(wanted)))[:3])
            raise FlashError(f"the flash did not keep what was written: {names}")
        self._progress("verify", 1, 1)

    def _write_root(self) -> None:
        for name in self.plan.root:
            path, content = f"/{name}", self._image.root[name]
            self._console.write_file(path + ".new", content)
            found = self._console.value(f"_sha({path + '.new'!r})")
            if found != ImageSet("", "", {name: content}).hashes()[name]:
                raise FlashError(f"the flash did not keep what was written: {path}")
            self._console.run(f"os.rename({path + '.new'!r}, {path!r})")


def point_to(console: Console, letter: str) -> None:
    """The next starts run this slot, on trial; earlier attempts are forgotten."""
    console.replace_file(POINTER, (letter + "?").encode())
    console.run("try:\n count_attempts(0)\nexcept NameError:\n pass")


_REMOVE = f"""try:
 os.remove(%r)
except OSError as _error:
 if _error.errno != {errno.ENOENT}:
  raise"""
_MAKE_FOLDERS = f"""for _path in %r:
 try:
  os.mkdir(_path)
 except OSError as _error:
  if _error.errno != {errno.EEXIST}:
   raise"""
