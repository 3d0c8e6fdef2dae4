"""Everything that is not safety: digital inputs and outputs, LEDs, locks, supply and analog inputs."""

from mcu.ticks import add, diff

INPUTS_EVERY_US = 10_000
ANALOG_EVERY_US = 100_000
LED_STARTING = 1
LED_RUNNING = 2


class IoControl:
    """Keeps the newest readings and what was asked of the outputs."""

    def __init__(self, hal, safety, now):
        self._hal = hal
        self._safety = safety
        self._inputs_at = now
        self._analog_at = now
        self.outputs = 0
        self.digital_inputs = 0
        self.supply_mv = 0
        self.analog_mv = [0, 0]
        hal.led(0, LED_STARTING)

    def step(self, now):
        """Read what is due, at most one slow device a cycle; True when a digital input changed."""
        if diff(now, self._inputs_at) >= 0:
            self._inputs_at = add(now, INPUTS_EVERY_US)
            before = self.digital_inputs
            self.digital_inputs = self._hal.digital_inputs()
            return before != self.digital_inputs
        if diff(now, self._analog_at) >= 0:
            self._analog_at = add(now, ANALOG_EVERY_US)
            self.supply_mv = self._hal.supply_mv()
            self.analog_mv[0] = self._hal.analog_mv(1)
            self.analog_mv[1] = self._hal.analog_mv(2)
        return False

    def set_outputs(self, mask, values):
        """Change the outputs whose mask bit is set."""
        self.outputs = (self.outputs & ~mask | values & mask) & 0xFFFF
        self._hal.digital_outputs(self.outputs)

    def set_lock(self, port, locked):
        """None when done, else why not: a plug under power is never released."""
        relay = self._safety.relays[port - 1]
        if not locked and (relay.driven or relay.closed):
            return "relay is not open"
        self._hal.lock(port, locked)
        return None

    def set_led(self, index, pattern):
        """0 off, 1 green flashing, 2 green, 3 red flashing, 4 red."""
        self._hal.led(index, pattern)
