"""Board, chip and host twin in step on virtual time; the same tests run on every way to execute firmware."""

from unit.tools.mcu.twin import HostTwin

from vsecc_link import messages
from vsecc_sim.mcu import commands
from vsecc_sim.mcu.board import Board
from vsecc_sim.mcu.inprocess import InProcessChip
from vsecc_sim.mcu.process import ProcessChip, ProcessSettings
from vsecc_sim.mcu.virtual import VirtualMcu

STEP_US = 1000


class Rig:
    """`interpreter`: "in-process" (CPython over hal/sim); else hal/pico on that one, None: CPython."""

    def __init__(self, interpreter="in-process", *, start_us=0, seed=1):
        self.board = Board(seed=seed, start_us=start_us)
        if interpreter == "in-process":
            chip = InProcessChip(self.board)
        else:
            chip = ProcessChip(self.board, ProcessSettings(interpreter, wall_clock=False))
        self.chip = chip
        self.mcu = VirtualMcu(self.board, chip)
        self.host = HostTwin()
        self._start_us = start_us
        self._arrived = bytearray()
        self.board.uart.on_host_bytes = self._arrived.extend

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.mcu.close()

    def run_ms(self, span_ms):
        """Lets emulated time pass."""
        for _ in range(span_ms):
            self.mcu.run_for(STEP_US)
            data = bytes(self._arrived)
            self._arrived.clear()
            out = self.host.step(data, (self.board.now_us - self._start_us) // 1000)
            if out:
                self.board.uart.host_send(out, self.board.now_us)

    def run_until(self, condition, within_ms=1000):
        """Lets time pass until the condition holds; fails when it does not in time."""
        for _ in range(within_ms):
            if condition():
                return
            self.run_ms(1)
        raise AssertionError(
            f"not within {within_ms} ms; " + " | ".join(map(str, self.board.trace.entries()[-12:]))
        )

    def ev(self, state, port=1):
        """Switches the car's resistors now."""
        commands.obey(self.board, commands.ev(port, state=state))

    def inject(self, name, target=1, active=True, value=None):
        """Applies a fault now."""
        commands.obey(self.board, commands.fault(name, target, active, value))

    def charge(self, port=1):
        """From nothing to a closed relay: link, B, PWM, C with a grant."""
        self.run_until(lambda: self.host.hello is not None)
        self.ev("B", port)
        self.run_until(lambda: self.host.cp_state(port) == messages.CP_B)
        self.host.send(messages.SET_PILOT, port, messages.PILOT_PWM, 50)
        self.run_until(lambda: self.board.ports[port].duty_permille == 50)
        self.host.granted |= 1 << port - 1
        self.ev("C", port)
        self.run_until(lambda: self.board.relays[port].closed)

    def opened_after_us(self, since_us, relay=1):
        """From a moment to the drive pin standing still."""
        entry = self.board.trace.first_after(since_us, f"relay{relay}.drive", False)
        assert entry is not None, [str(e) for e in self.board.trace.entries()[-10:]]
        return entry.at_us - since_us
