"""Wiring only: board, hardware, guards, link, loop. On the device: `from mcu.main import main; main()`."""

import gc
import sys

import mcu
import vsecc_link
from mcu import crash, image, memory_test, slots
from mcu.changes import Changes
from mcu.control import Control
from mcu.cp_control import CpMonitor, PilotDriver
from mcu.device_faults import DeviceFaults
from mcu.host_link import HostLink
from mcu.io_control import IoControl
from mcu.safety import CC1_RANGES_MV, PP_RANGES_MV, Contact, PortGuard, Relay, Safety
from mcu.self_test import check_image, check_memory

CAUSE_FATAL = crash.CAUSE_FATAL
# Bits of the DIP switches 3 and 4; 1 and 2 are the ports' own.
DIP_CC1_AC = 4
DIP_CC1_DC = 8


def make_safety(hal):
    """Both guards and the spare relay over one hardware; CC1 of GB/T supervises REL2."""
    changes = Changes()
    cc1 = (Contact(CC1_RANGES_MV, DIP_CC1_AC), Contact(CC1_RANGES_MV, DIP_CC1_DC))
    guards = []
    for port in (1, 2):
        monitor = CpMonitor(changes)
        driver = PilotDriver(hal, port, monitor)
        proximity = Contact(PP_RANGES_MV, 1 << port - 1)
        relay = Relay(hal, port, changes)
        guards.append(PortGuard(monitor, driver, relay, changes, proximity, cc1 if port == 2 else ()))
    return Safety(guards, Relay(hal, 3, changes), changes, DeviceFaults(changes))


def make_control(hal, image_sha256=None, collect=None):
    """The whole program over one hardware, ready to run; nothing moves before `run` or `cycle`."""
    if image_sha256 is None:
        image_sha256 = image.slot_digest(mcu, vsecc_link)
    safety = make_safety(hal)
    check_image(safety, image_sha256, slots.recorded_digest(), hal.ticks_us())
    io_control = IoControl(hal, safety, safety.device_faults)
    link = HostLink(hal, safety, io_control, image_sha256)
    control = Control(hal, safety, io_control, link, collect)
    check_memory(safety, memory_test, hal.ticks_us())
    return control


def run(hal):
    """Run for ever; whatever escapes the loop drops the relays and restarts the chip."""
    control = None
    try:
        control = make_control(hal)
        control.link.tell_last_crash()
        control.must_feed = slots.prove(hal, control)
        slots.announce(image.VERSION, control.link.image_sha256)
        control.run()
    except (SystemExit, KeyboardInterrupt):  # the simulated reset, and a person at the console
        make_safe(hal)
        gc.enable()  # the console works with what the program left of the heap
        _attempt(crash.ended_well, hal)
        _attempt(hal.release)
        raise
    except BaseException as error:
        make_safe(hal)
        _attempt(hal.release)  # writing to the flash and a slow console take longer than a cycle
        _attempt(record, hal, control, error)  # nothing keeps the chip from its reset
        _attempt(tell, error)
        hal.reset(CAUSE_FATAL)


def record(hal, control, error):
    """The crash report."""
    uptime_ms = control.rounds * crash.ROUND_MS if control else 0
    frames = control.link.frames if control else None
    crash.save(hal, CAUSE_FATAL, uptime_ms, crash.describe(error, frames))


def tell(error):
    """At the console, for a person who looks."""
    print(crash.traceback_text(error), file=sys.stderr)


def make_safe(hal):
    """Relays open, pilots steady -12 V, lock motors off (rule S4), whichever of them fails."""
    for relay in (1, 2, 3):
        _attempt(hal.relay_drop, relay)
    for port in (1, 2):
        _attempt(hal.pilot_drive, port, 0)
    for port in (1, 2):
        _attempt(hal.lock_drive, port, 0)


def _attempt(call, *values):
    try:
        call(*values)
    except BaseException:  # a driver that fails, a second Ctrl-C: what brought us here is told already
        pass


def main():
    """Entry on the chip: the board follows from what the interpreter says it runs on."""
    from mcu.boards import choose
    from mcu.hal.pico import Hal

    run(Hal(choose(sys.implementation._machine)))
