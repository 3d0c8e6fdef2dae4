"""Boards for the tests: exact virtual time, one settable pilot per port, relays that follow after a delay."""

from mcu.hal.sim import Hal
from mcu.main import make_control
from vsecc_link.messages import PILOT_PWM

LEVEL_MV = {"A": 12000, "B": 9000, "C": 6000, "D": 3000, "E": 0}
CONTACT_US = 5000
KEEP_ALIVE_US = 19_100
SAMPLES = 100
SELF_TEST_US = 32_000  # a Bench that is tested has it behind it at `start_us`


class FakeBoard:
    """What `hal/sim.py` asks for; a test changes its attributes between cycles."""

    def __init__(self, start_us=0):
        self.time_us = start_us
        self.duty = [0, 0, 0]
        self.level_mv = [0, 12000, 12000]
        self.low_mv = [0, -12000, -12000]
        self.period_us = [0, 1000, 1000]
        self.counts = [None, None, None]  # overrides the sample counts
        self.pp_mv = [0, 3700, 3700]
        self.fed_at = [None] * 4
        self.feeds = [0] * 4
        self.contact = [None] * 4  # overrides the feedback
        self.dip = 0b1100  # CC1 off: the way of CCS
        self.inputs = 0
        self.outputs = 0
        self.leds = [0, 0, 0, 0]
        self.locks = [None, None, None]  # None, or the newest direction driven
        self.lock_resistance = [0, 1000, 1000]
        self.lock_fault = [False, False, False]
        self.overloads = 0
        self.button = False
        self.cc1 = [12000, 12000]
        self.resistance = [1_000_000] * 9
        self.new_sensor = 0
        self.supply = 24000
        self.chips = 0
        self.received = b""
        self.sent = bytearray()
        self.uart_room = 1 << 20
        self.watchdog_fed = 0
        self.reset_with = None
        self.price_us = 0  # time one cycle takes
        self.boot_number = 0x12345678
        self.changes = []  # (time, what) in order: pilot drives and relay edges

    def now_us(self):
        return self.time_us

    def idle_until_us(self, time_us):
        self.time_us = max(self.time_us, time_us)

    def pilot_drive(self, port, permille):
        self.duty[port] = permille
        self.changes.append((self.time_us, "pilot", port, permille))

    def pilot_levels(self, port):
        self.time_us += self.price_us
        if self.counts[port] is not None:
            high, low = self.counts[port]
        else:
            high = self.duty[port] * SAMPLES // 1000
            low = SAMPLES - high
        return (self.level_mv[port] if high else 0, self.low_mv[port] if low else 0, high, low)

    def pilot_period_us(self, port):
        return self.period_us[port] if 0 < self.duty[port] < 1000 else 0

    def proximity_mv(self, port):
        return self.pp_mv[port]

    def relay_feed(self, relay):
        if self.fed_at[relay] is None:
            self.changes.append((self.time_us, "close", relay))
        self.fed_at[relay] = self.time_us
        self.feeds[relay] += 1

    def relay_drop(self, relay):
        if self.fed_at[relay] is not None:
            self.changes.append((self.time_us, "open", relay))
        self.fed_at[relay] = None

    def relay_output(self, relay):
        """Is the pump still toggling?"""
        fed = self.fed_at[relay]
        return fed is not None and self.time_us - fed <= KEEP_ALIVE_US

    def relay_feedback(self, relay):
        if self.contact[relay] is not None:
            return self.contact[relay]
        return self.relay_output(relay)

    def uart_read(self):
        data = self.received
        self.received = b""
        return data

    def uart_write(self, data):
        taken = min(len(data), self.uart_room)
        self.sent.extend(data[:taken])
        return taken

    def watchdog_feed(self):
        self.watchdog_fed += 1

    def digital_inputs(self):
        return self.inputs

    def dip_switches(self):
        return self.dip

    def digital_outputs(self, values):
        self.outputs = values

    def led(self, index, pattern):
        self.leds[index] = pattern

    def output_overloads(self):
        return self.overloads

    def lock_drive(self, port, direction):
        self.locks[port] = direction
        if direction:
            self.changes.append((self.time_us, "lock", port, direction))

    def lock_ohm(self, port):
        return self.lock_resistance[port]

    def lock_overload(self, port):
        return self.lock_fault[port]

    def button_pressed(self):
        return self.button

    def cc1_mv(self, kind):
        return self.cc1[kind]

    def reference_mv(self):
        return 2500

    def temperature_step(self):
        self.new_sensor = self.new_sensor + 1 if self.new_sensor < 9 else 0
        return self.new_sensor

    def resistance_mohm(self, sensor):
        return self.resistance[sensor - 1]

    def chip_faults(self):
        return self.chips

    def supply_mv(self):
        return self.supply

    def analog_mv(self, index):
        return 1000 * index

    def reset_cause(self):
        return 0

    def boot_id(self):
        return self.boot_number

    def reset(self, cause):
        self.reset_with = cause
        raise SystemExit(cause)


class Bench:
    """The whole program on a fake board, stepped cycle by cycle."""

    def __init__(self, start_us=0, collect=None, boot_number=0x12345678, tested=True):
        self.board = FakeBoard(start_us - SELF_TEST_US)
        self.board.boot_number = boot_number
        self.hal = Hal(self.board)
        self.control = make_control(self.hal, b"\x00" * 32, collect or _no_collect)
        self.link = self.control._link
        self.safety = self.control._safety
        self.control._deadline = self.hal.ticks_us()
        if tested:
            self.cycles(SELF_TEST_US // 1000)
            assert self.safety.is_tested
            self.board.changes = []

    def cycles(self, count):
        """Run that many cycles of 1 ms."""
        for _ in range(count):
            self.control.cycle()
            self.control.wait()

    def plug(self, port, letter):
        """What the vehicle puts on the pilot."""
        self.board.level_mv[port] = LEVEL_MV[letter]
        if letter == "E":
            self.board.low_mv[port] = 0
            self.board.counts[port] = (SAMPLES, 0)
        else:
            self.board.low_mv[port] = -12000
            self.board.counts[port] = None

    def grant(self, relays, valid_ms=500):
        """As the link hands it over."""
        self.safety.grant(relays, valid_ms, self.hal.ticks_us())

    def set_pwm(self, port):
        """5 % duty, as the link hands it over."""
        assert self.safety.set_pilot(port, PILOT_PWM, 50, self.hal.ticks_us()) is None

    def charge(self, port=1):
        """Bring a port to C with its relay closed."""
        self.plug(port, "B")
        self.cycles(25)
        self.set_pwm(port)
        self.cycles(25)
        self.plug(port, "C")
        self.cycles(25)
        self.grant(1 << port - 1)
        self.cycles(20)
        assert self.safety.relays[port - 1].driven and self.safety.relays[port - 1].closed


def _no_collect():
    pass


def closed(bench, relay=1):
    return bench.safety.relays[relay - 1].driven


def keep_granted(bench, cycles, relays=1):
    """A host that grants every 100 ms."""
    for done in range(0, cycles, 100):
        bench.grant(relays)
        bench.cycles(min(100, cycles - done))


def disturb(bench, name, port=1):
    board = bench.board
    if name == "short":
        bench.plug(port, "E")
    elif name == "diode":
        board.low_mv[port] = -board.level_mv[port]
    elif name == "level":
        board.level_mv[port] = 14000
    elif name == "duty":
        board.counts[port] = (10, 90)
    elif name == "period":
        board.period_us[port] = 900
    else:
        board.counts[port] = (0, 0)
