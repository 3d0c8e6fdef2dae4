"""Interpreter of a PIO state machine, from its assembled 16-bit words, with fast-forward over steady loops.

Covers the nine opcodes, side-set, delays and both FIFOs; no autopush or autopull. Time is counted in machine
cycles. A loop whose passes differ only in X (and an OSR copied from it) counting down is skipped in one step,
so that seconds of keep-alive cost a few dozen instructions.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

FIFO_DEPTH = 4
_U32 = 0xFFFFFFFF
_ALL_BITS = 32

JMP, WAIT, IN, OUT, PUSH_PULL, MOV, IRQ, SET = range(8)
_JMP_ALWAYS, _JMP_NOT_X, _JMP_X_DEC, _JMP_NOT_Y, _JMP_Y_DEC, _JMP_X_NE_Y, _JMP_PIN, _JMP_NOT_OSRE = range(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Assembled words with the settings that belong to them; addresses count from 0."""

    words: tuple[int, ...]
    wrap_target: int
    wrap: int
    side_bits: int = 0
    side_optional: bool = False

    def counts_only(self) -> bool:
        """True when X decides nothing but the end of a `jmp x_dec`: counted passes may be skipped."""
        for word in self.words:
            opcode, kind = word >> 13, (word >> 5) & 7
            if opcode == JMP and kind not in (_JMP_ALWAYS, _JMP_X_DEC, _JMP_Y_DEC, _JMP_NOT_Y):
                return False
            if opcode in (IN, OUT) or (opcode == PUSH_PULL and not word & 0x80):
                return False
            if opcode == MOV and (kind not in (1, 2, 7) or word & 0x18):
                return False
        return True


@dataclass(slots=True)
class _Mark:
    """State at the last backward branch; passes are compared against it."""

    key: tuple[int, ...]
    cycle: int
    x: int
    osr: int
    edges: int


class StateMachine:
    """One state machine driving pins relative to its side-set base (bit 0 of `pins`)."""

    def __init__(self, program: Program, freq_hz: int, *, start_us: int = 0) -> None:
        """Stopped at its first instruction; `freq_hz` is the machine's own clock."""
        self.program = program
        self.freq_hz = freq_hz
        self.tx: deque[int] = deque()
        self.rx: deque[int] = deque()
        self.x = self.y = self.osr = self.isr = 0
        self.osr_bits = _ALL_BITS
        self.isr_bits = 0
        self.pc = 0
        self.pins = 0
        self.inputs = 0
        self.irq_flags = 0
        self.active = False
        self._stalled = False
        self.cycle = self._cycle_at(start_us)
        self.edge_count = 0
        self.last_edge_cycle = -1
        self.executed = 0
        self._linear = program.counts_only()
        self._mark: _Mark | None = None
        self._handlers: tuple[Callable[[int], bool], ...] = (
            self._jmp, self._wait, self._in, self._out, self._push_pull, self._mov, self._irq, self._set,
        )  # fmt: skip

    def _cycle_at(self, at_us: int) -> int:
        return at_us * self.freq_hz // 1_000_000

    def time_us(self, cycle: int) -> int:
        """The time of a cycle number, rounded up to whole us."""
        return -(-cycle * 1_000_000 // self.freq_hz)

    @property
    def last_edge_us(self) -> int:
        """When an output last changed its level; -1 when never."""
        return -1 if self.last_edge_cycle < 0 else self.time_us(self.last_edge_cycle)

    def put(self, word: int) -> bool:
        """Queues a word as the processor would; False when the FIFO is full."""
        if len(self.tx) >= FIFO_DEPTH:
            return False
        self.tx.append(word & _U32)
        self._mark = None
        self._stalled = False
        return True

    def restart(self) -> None:
        """Clears the registers and the program counter, not the FIFOs."""
        self.x = self.y = self.osr = self.isr = self.pc = self.isr_bits = 0
        self.osr_bits = _ALL_BITS
        self._mark = None

    def set_active(self, active: bool, at_us: int) -> None:
        """Starts or stops where it stands; pins keep their level when stopped."""
        self.run(at_us)
        self.active = active
        self._stalled = False
        self.cycle = max(self.cycle, self._cycle_at(at_us))

    def run(self, until_us: int) -> None:
        """Lets the machine run until that time."""
        target = self._cycle_at(until_us)
        if not self.active or self._stalled:
            self.cycle = max(self.cycle, target)
            return
        while self.cycle < target:
            before = self.pc
            if not self._step():
                # An empty FIFO ends with the next word only; other waits are looked at again.
                self._stalled = self.program.words[self.pc] >> 13 == PUSH_PULL
                self.cycle = target
                return
            if self.pc <= before:
                self._skip(target)

    def _step(self) -> bool:
        word = self.program.words[self.pc]
        field = (word >> 8) & 0x1F
        side_field_bits = self.program.side_bits + self.program.side_optional
        delay = field & ((1 << (5 - side_field_bits)) - 1)
        if self.program.side_bits:
            side = field >> (5 - side_field_bits)
            if not self.program.side_optional or side >> self.program.side_bits:
                mask = (1 << self.program.side_bits) - 1
                self._drive(self.pins & ~mask | side & mask)
        self.executed += 1
        at = self.pc
        self.pc = self.program.wrap_target if at == self.program.wrap else at + 1
        if not self._handlers[word >> 13](word & 0xFF):
            self.pc = at
            return False
        self.cycle += 1 + delay
        return True

    def _drive(self, pins: int) -> None:
        if pins != self.pins:
            self.pins = pins
            self.edge_count += 1
            self.last_edge_cycle = self.cycle

    def _skip(self, target: int) -> None:
        """Jumps over whole passes that would only repeat the last one."""
        key = (
            self.pc, self.y, self.isr, self.pins, len(self.tx), len(self.rx), self.isr_bits, self.osr_bits,
            self.irq_flags, self.inputs,
        )  # fmt: skip
        mark, self._mark = self._mark, _Mark(key, self.cycle, self.x, self.osr, self.edge_count)
        if mark is None or mark.key != key or self.cycle == mark.cycle:
            return
        down_x, down_osr = (mark.x - self.x) & _U32, (mark.osr - self.osr) & _U32
        period = self.cycle - mark.cycle
        passes = (target - self.cycle) // period
        if (down_x, down_osr) in ((1, 0), (1, 1)) and self._linear:
            # The OSR trails X by one pass: the countdown ends when X does, which is left to real execution.
            passes = min(passes, self.x - 2)
        elif down_x or down_osr:
            return
        if passes <= 0:
            return
        edges = self.edge_count - mark.edges
        if edges:
            self.last_edge_cycle += passes * period
            self.edge_count += passes * edges
        self.cycle += passes * period
        self.x = (self.x - passes * down_x) & _U32
        self.osr = (self.osr - passes * down_osr) & _U32
        self._mark = None

    def _jmp(self, operand: int) -> bool:
        kind = operand >> 5
        x, y = self.x, self.y
        taken = (
            True,
            x == 0,
            x != 0,
            y == 0,
            y != 0,
            x != y,
            bool(self.inputs & 1),
            self.osr_bits < _ALL_BITS,
        )[kind]
        if kind == _JMP_X_DEC:
            self.x = (x - 1) & _U32
        elif kind == _JMP_Y_DEC:
            self.y = (y - 1) & _U32
        if taken:
            self.pc = operand & 0x1F
        return True

    def _wait(self, operand: int) -> bool:
        polarity, source, index = operand >> 7, (operand >> 5) & 3, operand & 0x1F
        bits = self.irq_flags if source == 2 else self.inputs
        met = (bits >> index) & 1 == polarity
        if met and source == 2 and polarity:
            self.irq_flags &= ~(1 << index)
        return met

    def _in(self, operand: int) -> bool:
        count = (operand & 0x1F) or _ALL_BITS
        source = (self.inputs, self.x, self.y, 0, 0, 0, self.isr, self.osr)[operand >> 5]
        self.isr = ((self.isr >> count) | (source << (_ALL_BITS - count))) & _U32 if count < 32 else source
        self.isr_bits = min(_ALL_BITS, self.isr_bits + count)
        return True

    def _out(self, operand: int) -> bool:
        count = (operand & 0x1F) or _ALL_BITS
        value = self.osr & ((1 << count) - 1)
        self.osr >>= count
        self.osr_bits = min(_ALL_BITS, self.osr_bits + count)
        self._write(operand >> 5, value)
        return True

    def _write(self, destination: int, value: int) -> None:
        if destination == 0:
            self._drive(value)
        elif destination == 1:
            self.x = value
        elif destination == 2:
            self.y = value

    def _push_pull(self, operand: int) -> bool:
        block = operand & 0x20
        if not operand & 0x80:
            if len(self.rx) >= FIFO_DEPTH and block:
                return False
            self.rx.append(self.isr)
            self.isr = self.isr_bits = 0
            return True
        if not self.tx:
            if block:
                return False
            self.osr = self.x
        else:
            self.osr = self.tx.popleft()
            self._mark = None
        self.osr_bits = 0
        return True

    def _mov(self, operand: int) -> bool:
        value = (self.inputs, self.x, self.y, 0, 0, 0, self.isr, self.osr)[operand & 7]
        operation = (operand >> 3) & 3
        if operation == 1:
            value = ~value & _U32
        elif operation == 2:
            value = int(f"{value:032b}"[::-1], 2)
        destination = operand >> 5
        if destination <= 2:
            self._write(destination, value)
        elif destination == 6:
            self.isr, self.isr_bits = value, 0
        elif destination == 7:
            self.osr, self.osr_bits = value, 0
        return True

    def _irq(self, operand: int) -> bool:
        bit = 1 << (operand & 7)
        self.irq_flags = self.irq_flags & ~bit if operand & 0x40 else self.irq_flags | bit
        return True

    def _set(self, operand: int) -> bool:
        self._write(operand >> 5, operand & 0x1F)
        return True
