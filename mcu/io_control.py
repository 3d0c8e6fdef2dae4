"""Everything that is not safety: inputs, outputs, LEDs, locks, button, temperatures, supply."""

from mcu.button import Button
from mcu.device_faults import DeviceFaults
from mcu.lock_control import LockControl
from mcu.temperatures import Temperatures
from vsecc_link.messages import (
    DEVICE_BROWN_OUT,
    DEVICE_CALIBRATION,
    DEVICE_CONVERTER,
    DEVICE_EXPANDER,
    DEVICE_SUPPLY_LOW,
    DEVICE_TEMPERATURE,
)

LED_STARTING = 1
LED_RUNNING = 2
LED_FAULT = 4
# A board that merely is not calibrated runs.
_NO_ALARM = 1 << DEVICE_CALIBRATION

# Supply of the device: 18 to 30 V. Hysteresis: the upper value ends the fault.
SUPPLY_LOW_MV = (17_000, 18_000)
# Below this relay coils and lock motors do not work reliably.
BROWN_OUT_MV = (12_000, 14_000)

_CHIPS = 1 << DEVICE_CONVERTER | 1 << DEVICE_TEMPERATURE | 1 << DEVICE_EXPANDER | 1 << DEVICE_CALIBRATION
_DIP_NAMES = ("PP1", "PP2", "CC1 AC", "CC1 DC")


class IoControl:
    """Keeps the newest readings and what was asked of the outputs; every part is served once in 16 ms."""

    def __init__(self, hal, safety, device_faults=None):
        self._hal = hal
        self._safety = safety
        self.device_faults = device_faults or DeviceFaults(safety.changes)
        self.outputs = 0
        self.output_overloads = 0
        self.digital_inputs = 0
        self.dip_switches = hal.dip_switches()
        self.supply_mv = 0
        self.analog_mv = [0, 0]
        self.cc1_mv = [0, 0]  # AC, DC
        self.locks = [LockControl(hal, port, safety.relays[port - 1], safety.changes) for port in (1, 2)]
        self.button = Button(safety.changes)
        self.temperatures = Temperatures()
        self.log = None  # set by the host link: level, text
        self._analog_turn = 0
        self._linked = False
        self._host_shows = False  # the host has its own opinion about the system LED
        self._system_led = LED_STARTING
        hal.led(0, LED_STARTING)

    def step(self, part, now):
        """Serve one of eight parts; each is at most one conversation on the bus."""
        hal = self._hal
        if part == 0:
            self.digital_inputs = hal.digital_inputs()
        elif part == 1 or part == 2:
            sensor = hal.temperature_step()
            if sensor:
                self.temperatures.feed(sensor, hal.resistance_mohm(sensor))
        elif part == 3:
            self._read_analog(now)
        elif part == 4:
            self._read_overloads(hal.output_overloads())
        elif part == 5:
            self.locks[0].step(now)
        elif part == 6:
            self.locks[1].step(now)
        else:
            hal.supervise()
            self._look_around(now)

    def set_outputs(self, mask, values):
        """Change the outputs whose mask bit is set."""
        self.outputs = (self.outputs & ~mask | values & mask) & 0xFFFF
        self._hal.digital_outputs(self.outputs)

    def set_lock(self, port, locked, now):
        """None when it is being done, else why not: a plug under power is never released."""
        return self.locks[port - 1].set(locked, now)

    def set_led(self, index, pattern):
        """0 off, 1 green flashing, 2 green, 3 red flashing, 4 red; 0 gives the system LED back to us."""
        if index == 0:
            self._host_shows = pattern != 0
            if not self._host_shows:
                self._show_system()
                return
            self._system_led = pattern
        self._hal.led(index, pattern)

    def host_is(self, there):
        """A session stands or is over: the system LED says so until the host says otherwise."""
        self._linked = there
        self._host_shows = False
        self._show_system()

    def _show_system(self):
        if self._host_shows:
            return
        if self.device_faults.mask & ~_NO_ALARM:
            pattern = LED_FAULT
        else:
            pattern = LED_RUNNING if self._linked else LED_STARTING
        if pattern != self._system_led:
            self._system_led = pattern
            self._hal.led(0, pattern)

    def _read_analog(self, now):
        """Supply, both analog inputs and CC1 in turn, each every 80 ms."""
        hal = self._hal
        turn = self._analog_turn
        self._analog_turn = turn + 1 if turn < 4 else 0
        if turn == 0:
            self.supply_mv = hal.supply_mv()
            self._judge_supply(DEVICE_SUPPLY_LOW, SUPPLY_LOW_MV, now)
            self._judge_supply(DEVICE_BROWN_OUT, BROWN_OUT_MV, now)
        elif turn <= 2:
            self.analog_mv[turn - 1] = hal.analog_mv(turn)
        else:
            self.cc1_mv[turn - 3] = hal.cc1_mv(turn - 3)

    def _judge_supply(self, fault, limits, now):
        is_low = self.device_faults.mask >> fault & 1 == 1
        self.device_faults.set(fault, self.supply_mv < (limits[1] if is_low else limits[0]), now)

    def _read_overloads(self, overloads):
        """A driver that got too hot says so until it has cooled down, also when it was switched off."""
        if overloads != self.output_overloads:
            self.output_overloads = overloads
            self._safety.changes.note()

    def _look_around(self, now):
        """DIP switches, button, and how the chips are."""
        hal = self._hal
        self.button.step(hal.button_pressed(), now)
        dip = hal.dip_switches()
        if dip != self.dip_switches:
            self.dip_switches = dip
            self.tell_dip()
        chips = hal.chip_faults()
        if chips & 1 << DEVICE_TEMPERATURE:
            self.temperatures.lose()
        self.device_faults.replace(_CHIPS, chips, now)
        self._show_system()

    def tell_state(self):
        """Lines for the log of a new session: switches, and why there is no calibration."""
        self.tell_dip()
        if self._hal.calibration_problem and self.log is not None:
            self.log(2, "calibration " + self._hal.calibration_problem + ": figures of the drawing are used")

    def tell_dip(self):
        """One log line: which supervision is off."""
        if self.log is None:
            return
        off = [_DIP_NAMES[index] for index in range(4) if self.dip_switches >> index & 1]
        self.log(1, "DIP: supervision off for " + ", ".join(off) if off else "DIP: all supervision on")
