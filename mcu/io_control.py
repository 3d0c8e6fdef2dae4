"""Everything that is not safety: digital inputs and outputs, LEDs, locks, supply and analog inputs."""

ANALOG_EVERY_STEPS = 6  # one step each 16 ms
LED_STARTING = 1
LED_RUNNING = 2


class IoControl:
    """Keeps the newest readings and what was asked of the outputs."""

    def __init__(self, hal, safety):
        self._hal = hal
        self._safety = safety
        self._steps = 0
        self.outputs = 0
        self.digital_inputs = 0
        self.supply_mv = 0
        self.analog_mv = [0, 0]
        hal.led(0, LED_STARTING)

    def step(self):
        """Read one slow device: digital inputs, every sixth time the analog ones instead."""
        hal = self._hal
        self._steps += 1
        if self._steps < ANALOG_EVERY_STEPS:
            self.digital_inputs = hal.digital_inputs()
            return
        self._steps = 0
        self.supply_mv = hal.supply_mv()
        self.analog_mv[0] = hal.analog_mv(1)
        self.analog_mv[1] = hal.analog_mv(2)

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
