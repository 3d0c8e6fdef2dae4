"""Rule S4 with anything raised anywhere: each call of the hardware fails under power, once or for ever."""

from unit.mcu.boards import Bench

from mcu import main

# What the loop calls under power without a line to the host.
LOOP = (
    "ticks_us", "idle_until", "pilot_measure", "pilot_phase_us", "pilot_period_us", "proximity_mv", "cc1_mv",
    "dip_switches", "relay_feed", "relay_feedback", "uart_read_into", "watchdog_feed", "keep",
    "digital_inputs", "output_overloads", "lock_ohm", "temperature_step", "supply_mv", "analog_mv",
    "button_pressed", "supervise", "chip_faults",
)  # fmt: skip
# What the way out calls.
WAY_OUT = ("relay_drop", "pilot_drive", "lock_drive", "release")
STARVED_US = 20_000


class Charging:
    """A program that charges on both ports, and then is what `main.run` runs."""

    def __init__(self):
        bench = Bench()
        for port in (1, 2):
            bench.charge(port)
        bench.grant(3)
        bench.cycles(5)
        bench.link.was_up = True  # so that the watchdog is fed
        self.board = bench.board
        self.hal = bench.hal
        self.control = bench.control
        self.broken = 0
        assert self.board.relay_output(1) and self.board.relay_output(2)

    def break_call(self, name, error, forever=False, after=None, only=None):
        """`name` raises; `only` for this first argument, `after` only once this one is true."""
        whole = getattr(self.hal, name)

        def call(*values):
            hit = (only is None or values[0] == only) and (after is None or after())
            if hit and (forever or not self.broken):
                self.broken += 1
                raise error
            return whole(*values)

        setattr(self.hal, name, call)

    def run(self):
        """How it ended: "reset" or "console"; AssertionError when nothing was raised in 40 cycles."""
        whole, left = self.control.cycle, [40]

        def cycle():
            left[0] -= 1
            assert left[0], "nothing was raised"
            whole()

        self.control.cycle = cycle
        self.control.start = lambda: None
        replaced = main.make_control, main.tell, main.record
        main.make_control, main.tell = lambda hal: self.control, lambda error: None
        main.record = self.record
        try:
            main.run(self.hal)
        except SystemExit:
            return "reset"
        except KeyboardInterrupt:
            return "console"
        finally:
            main.make_control, main.tell, main.record = replaced

    def record(self, hal, control, error):
        """No memory for a crash report."""
        raise MemoryError

    def unsafe(self):
        """Outputs that are not as rule S4 wants them, by name."""
        found = ["relay %d" % relay for relay in (1, 2, 3) if self.board.relay_output(relay)]
        return found + ["pilot %d" % port for port in (1, 2) if self.board.duty[port]]


def test_s4_an_exception_in_any_call_of_the_loop_opens_at_once():
    for name in LOOP:
        for error, end in ((OSError(5), "reset"), (MemoryError(), "reset"), (KeyboardInterrupt(), "console")):
            charging = Charging()
            charging.break_call(name, error)
            assert charging.run() == end, name
            assert charging.unsafe() == [], name
            assert charging.broken == 1, name


def test_s4_a_call_that_fails_for_ever_on_the_way_out_keeps_none_of_the_others():
    for name in WAY_OUT:
        for only in (1, 2):
            for error in (OSError(5), MemoryError(), KeyboardInterrupt()):
                charging = Charging()
                failed = []

                def fail(failed=failed):
                    failed.append(True)
                    raise RuntimeError

                charging.hal.supervise = fail
                only = None if name == "release" else only
                charging.break_call(name, error, True, lambda failed=failed: failed, only)
                charging.hal.reset = charging.board.reset  # as the chip's own: nothing keeps it from a reset
                assert charging.run() == "reset" and charging.broken, name
                assert charging.board.reset_with == main.CAUSE_FATAL
                expected = ["%s %d" % (name[:5], only)] if name in ("relay_drop", "pilot_drive") else []
                assert charging.unsafe() == expected, name
                charging.board.time_us += STARVED_US
                assert "relay 1" not in charging.unsafe() and "relay 2" not in charging.unsafe()


def test_s4_a_second_break_from_the_console_does_not_disturb_the_way_out():
    for name in WAY_OUT:
        charging = Charging()
        broken = []

        def stop(broken=broken):
            broken.append(True)
            raise KeyboardInterrupt

        charging.hal.supervise = stop
        charging.break_call(name, KeyboardInterrupt(), after=lambda broken=broken: broken)
        assert charging.run() == "console" and charging.broken == 1, name
        charging.board.time_us += STARVED_US
        assert charging.unsafe() == (["pilot 1"] if name == "pilot_drive" else []), name
