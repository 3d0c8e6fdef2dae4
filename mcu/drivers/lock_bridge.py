"""Motor bridge of one connector lock: DRV8876 in phase/enable mode (TI), feedback on a converter input."""

from mcu.lock_control import NOT_FITTED

PWM_HZ = 20_000
FULL = 65535
OPEN_OHM = 65535


class LockBridge:
    """Enable low is brake; `mode_mv` 12000 chops the supply down, 24000 passes it on."""

    def __init__(self, enable_pwm, direction_pin, fault_pin, converter, channel, pull_up_ohm, mode_mv):
        self._enable = enable_pwm
        self._direction = direction_pin
        self._fault = fault_pin
        self._converter = converter
        self._channel = channel
        self._pull_up_ohm = pull_up_ohm
        self._mode_mv = mode_mv

    def drive(self, direction, supply_mv):
        """1 towards locked, -1 towards unlocked, 0 off; an unknown supply counts as the highest."""
        if direction == 0:
            self._enable.duty_u16(0)
            return
        self._enable.duty_u16(0)  # never reverse under drive
        self._direction(1 if direction > 0 else 0)
        if self._mode_mv >= 24_000:
            duty = FULL
        else:
            duty = min(FULL, self._mode_mv * 1000 // (supply_mv or 30_000) * FULL // 1000)
        self._enable.duty_u16(duty)

    def feedback_ohm(self):
        """Resistance between feedback pin and ground; 65535 when open or not readable."""
        code = self._converter.read(self._channel)
        if code < 0:
            return OPEN_OHM
        return min(OPEN_OHM, self._pull_up_ohm * code // (4096 - code))

    def overloaded(self):
        """The bridge says over-current, too hot or too little supply; its output is off then."""
        return not self._fault.value()


class NoLock:
    """In the place of a bridge that the board does not have."""

    def drive(self, direction, supply_mv):
        """Nothing to drive."""

    def feedback_ohm(self):
        """Says that there is none."""
        return NOT_FITTED

    def overloaded(self):
        """Never."""
        return False
