"""Hardware interface over a simulated board object; see README.md of this folder. CPython and MicroPython."""

_TICKS_MASK = 0x3FFFFFFF


class Hal:
    """Same names as `mcu.hal.pico.Hal`; every call goes straight to the board given to the constructor."""

    def __init__(self, board):
        """Wrap `board`; its clock is exact virtual time in microseconds."""
        self._board = board
        self._rx = b""
        self._driven = [0, 1000, 1000]
        self._registers = getattr(board, "registers", None) or [0, 0, 0, 0]
        self._has_period = hasattr(board, "pilot_period_us")
        self.board_name = "simulated"
        self.crash_file = getattr(board, "crash_file", "")
        self.calibration_problem = None
        self.boot_id = board.boot_id()
        self.uart_baud = getattr(board, "uart_baud", 921600)

    def ticks_us(self):
        """Virtual time, wrapped at 2^30 us as on the chip."""
        return self._board.now_us() & _TICKS_MASK

    def idle_until(self, ticks_us):
        """Let virtual time pass until `ticks_us`; at once when it has passed."""
        now = self._board.now_us()
        ahead = (ticks_us - now) & _TICKS_MASK
        if 0 < ahead < 0x20000000:
            self._board.idle_until_us(now + ahead)

    def pilot_drive(self, port, duty_permille):
        """0 steady -12 V, 1000 steady +12 V, else PWM."""
        self._driven[port] = duty_permille
        self._board.pilot_drive(port, duty_permille)

    def pilot_phase_us(self):
        """Time since both pilots rose, or would have."""
        return self._board.now_us() % 1000

    def pilot_measure(self, port, out):
        """Plateaus in mV and sample counts of the newest whole period."""
        levels = self._board.pilot_levels(port)
        out[0] = levels[0]
        out[1] = levels[1]
        out[2] = levels[2]
        out[3] = levels[3]

    def pilot_period_us(self, port):
        """Distance of the last two rising edges, 0 while steady."""
        if self._has_period:
            return self._board.pilot_period_us(port)
        return 1000 if 0 < self._driven[port] < 1000 else 0

    def proximity_mv(self, port):
        """PP pin in mV."""
        return self._board.proximity_mv(port)

    def relay_feed(self, relay):
        """Keep the charge pump running for at most 20 ms."""
        self._board.relay_feed(relay)

    def relay_drop(self, relay):
        """Stop the charge pump now."""
        self._board.relay_drop(relay)

    def relay_feedback(self, relay):
        """True while the contact is closed."""
        return self._board.relay_feedback(relay)

    def uart_read_into(self, buffer):
        """Move what has arrived into `buffer`; number of bytes."""
        data = self._rx or self._board.uart_read()
        count = min(len(data), len(buffer))
        for index in range(count):
            buffer[index] = data[index]
        self._rx = data[count:] if count < len(data) else b""
        return count

    def uart_write(self, buffer, n):
        """Queue up to `n` bytes; number of bytes taken."""
        return self._board.uart_write(bytes(buffer[:n]))

    def watchdog_feed(self):
        """The first call arms it."""
        self._board.watchdog_feed()

    def release(self):
        """Simulated boards have no console."""

    def digital_inputs(self):
        """Bit 0 = input 1."""
        return self._board.digital_inputs()

    def dip_switches(self):
        """Bit 0 = switch 1."""
        return self._board.dip_switches()

    def digital_outputs(self, values):
        """Bit 0 = output 1."""
        self._board.digital_outputs(values)

    def led(self, index, pattern):
        """0 off, 1 green flashing, 2 green, 3 red flashing, 4 red."""
        self._board.led(index, pattern)

    def output_overloads(self):
        """Bit 0 = output 1: the driver says it is overloaded."""
        return self._board.output_overloads()

    def lock_drive(self, port, direction):
        """Lock motor: 1 towards locked, -1 towards unlocked, 0 off."""
        self._board.lock_drive(port, direction)

    def lock_ohm(self, port):
        """Feedback of the lock, 65535 when open; -1: no lock here."""
        return self._board.lock_ohm(port)

    def lock_overload(self, port):
        """True while the motor bridge reports a fault."""
        return self._board.lock_overload(port)

    def button_pressed(self):
        """Factory-reset button."""
        return self._board.button_pressed()

    def cc1_mv(self, kind):
        """GB/T CC1 pin in mV; 0 AC, 1 DC."""
        return self._board.cc1_mv(kind)

    def reference_mv(self):
        """The independent reference as the converter reads it."""
        return self._board.reference_mv()

    def temperature_step(self):
        """Go on with the temperatures: number of an input with a new reading, else 0."""
        return self._board.temperature_step()

    def resistance_mohm(self, sensor):
        """Newest reading of temperature input 1 to 9."""
        return self._board.resistance_mohm(sensor)

    def supervise(self):
        """Nothing to look after."""

    def chip_faults(self):
        """Mask of DEVICE_* bits."""
        return self._board.chip_faults()

    def supply_mv(self):
        """Supply of the device in mV."""
        return self._board.supply_mv()

    def analog_mv(self, index):
        """0-10 V input in mV."""
        return self._board.analog_mv(index)

    def reset_cause(self):
        """Index into RESET_NAMES."""
        return self._board.reset_cause()

    def keep(self, index, value):
        """Register that a reset leaves alone."""
        self._registers[index] = value

    def kept(self, index):
        """What was kept."""
        return self._registers[index]

    def reset(self, cause):
        """Restart; does not return."""
        for relay in (1, 2, 3):
            self._board.relay_drop(relay)
        try:
            self._board.reset(cause)
        except TypeError:
            self._board.reset()
