"""The part of `rp2` that the firmware uses: assembler, state machine and DMA, on the emulated chip."""

import chip

_FIFO_DEPTH = 4
_JMP_CONDITIONS = ("not_x", "x_dec", "not_y", "y_dec", "x_not_y", "pin", "not_osre")
_SOURCES = ("pins", "x", "y", "null", "pindirs", "status", "isr", "osr")
_OUT_TARGETS = ("pins", "x", "y", "null", "pindirs", "pc", "isr", "exec")
_MOV_TARGETS = ("pins", "x", "y", "", "exec", "pc", "isr", "osr")


class PIO:
    """Constants of the documented interface."""

    IN_LOW = 0
    IN_HIGH = 1
    OUT_LOW = 2
    OUT_HIGH = 3
    SHIFT_LEFT = 0
    SHIFT_RIGHT = 1
    JOIN_NONE = 0
    JOIN_TX = 1
    JOIN_RX = 2


class _Assembler:
    """Runs a program function twice: the first pass finds the labels, the second makes the words."""

    def __init__(self, side_bits):
        self.side_bits = side_bits
        self.side_optional = False
        self.labels = {}

    def assemble(self, function):
        """The finished program."""
        self._pass(function)
        self.side_optional = 0 < self._sides < len(self.words)
        self._pass(function)
        return Program(self)

    def _pass(self, function):
        self.words = []
        self.wrap_target = 0
        self.wrap = -1
        self._sides = 0
        names = {
            "wrap_target": self._wrap_target,
            "wrap": self._wrap,
            "label": self._label,
            "nop": self._nop,
            "jmp": self._jmp,
            "wait": self._wait,
            "in_": self._in,
            "out": self._out,
            "push": self._push,
            "pull": self._pull,
            "mov": self._mov,
            "irq": self._irq,
            "set": self._set,
            "block": 0x20,
            "noblock": 0x01,
            "iffull": 0x40,
            "ifempty": 0x40,
            "invert": self._invert,
            "reverse": self._reverse,
            "gpio": "gpio",
            "clear": 0x40,
        }
        for name in _SOURCES + _JMP_CONDITIONS + _OUT_TARGETS:
            if name:
                names[name] = name
        scope = function.__globals__
        hidden = {name: scope[name] for name in names if name in scope}
        scope.update(names)
        try:
            function()
        finally:
            for name in names:
                if name in hidden:
                    scope[name] = hidden[name]
                else:
                    del scope[name]
        if self.wrap < 0:
            self.wrap = len(self.words) - 1

    def side(self, value):
        """Side-set value of the instruction just written."""
        self._sides += 1
        enable = 16 if self.side_optional else 0
        shift = 5 - self.side_bits - (1 if self.side_optional else 0)
        self.words[-1] |= (enable | value << shift) << 8
        return self

    def __getitem__(self, cycles):
        """Delay of the instruction just written."""
        self.words[-1] |= cycles << 8
        return self

    def delay(self, cycles):
        """Same as the index form."""
        return self[cycles]

    def _word(self, word):
        self.words.append(word)
        return self

    def _wrap_target(self):
        self.wrap_target = len(self.words)

    def _wrap(self):
        self.wrap = len(self.words) - 1

    def _label(self, name):
        self.labels[name] = len(self.words)

    def _nop(self):
        return self._word(0xA042)

    def _jmp(self, condition, target=None):
        if target is None:
            target, kind = condition, 0
        else:
            kind = _JMP_CONDITIONS.index(condition) + 1
        address = target if isinstance(target, int) else self.labels.get(target, 0)
        return self._word(kind << 5 | address)

    def _wait(self, level, source, index):
        return self._word(0x2000 | level << 7 | ("gpio", "pin", "irq").index(source) << 5 | index)

    def _in(self, source, count):
        return self._word(0x4000 | _SOURCES.index(source) << 5 | count & 31)

    def _out(self, target, count):
        return self._word(0x6000 | _OUT_TARGETS.index(target) << 5 | count & 31)

    def _push(self, mode=0x20, second=0):
        return self._word(0x8000 | (mode | second) & 0x60)

    def _pull(self, mode=0x20, second=0):
        return self._word(0x8080 | (mode | second) & 0x60)

    def _mov(self, target, source):
        operation = 0
        if isinstance(source, tuple):
            operation, source = source
        return self._word(0xA000 | _MOV_TARGETS.index(target) << 5 | operation << 3 | _SOURCES.index(source))

    def _irq(self, mode, index=None):
        if index is None:
            mode, index = 0, mode
        return self._word(0xC000 | mode | index)

    def _set(self, target, value):
        return self._word(0xE000 | _OUT_TARGETS.index(target) << 5 | value)

    def _invert(self, source):
        return (1, source)

    def _reverse(self, source):
        return (2, source)


class Program:
    """Words and settings of an assembled program."""

    def __init__(self, assembler):
        """Takes over what the assembler found."""
        self.words = tuple(assembler.words)
        self.wrap_target = assembler.wrap_target
        self.wrap = assembler.wrap
        self.side_bits = assembler.side_bits
        self.side_optional = assembler.side_optional


def asm_pio(sideset_init=None, out_init=None, set_init=None, **shifts):
    """Decorator: turns a program function into its words; only what the machine model knows may be set."""
    for name in shifts:
        raise ValueError(name + " is not modelled")
    if sideset_init is None:
        side_bits = 0
    else:
        side_bits = len(sideset_init) if isinstance(sideset_init, tuple) else 1

    def decorate(function):
        return _Assembler(side_bits).assemble(function)

    return decorate


class StateMachine:
    """A state machine; it runs in the board model, this side only feeds it."""

    def __init__(self, index, program=None, freq=125000000, sideset_base=None):
        """Loads the program, stopped."""
        self._index = index
        if program is None:
            return
        for at in range(len(program.words)):
            chip.note(chip.SM_WORD, index, at << 16 | program.words[at])
        chip.note(chip.SM_FREQ, index, freq)
        side = program.side_bits << 10 | (1 << 13 if program.side_optional else 0)
        pin = sideset_base.number if sideset_base is not None else 63
        setup = program.wrap_target | program.wrap << 5 | side | pin << 14 | len(program.words) << 20
        chip.note(chip.SM_SETUP, index, setup)

    def active(self, on):
        """Starts or stops it where it stands."""
        chip.note(chip.SM_ACTIVE, self._index, 1 if on else 0)

    def tx_fifo(self):
        """Words waiting, as far as this side can know between two exchanges."""
        return chip.tx_levels[self._index]

    def put(self, word):
        """Queues a word; waits while the FIFO is full."""
        while chip.tx_levels[self._index] >= _FIFO_DEPTH:
            chip.sleep_us(100)
        chip.tx_levels[self._index] += 1
        chip.note(chip.SM_PUT, self._index, word)


class DMA:
    """One channel; the only stream modelled is ADC samples into a ring, two channels starting each other."""

    _channels = []

    def __init__(self):
        """Claims the next channel."""
        self.channel = len(DMA._channels)
        DMA._channels.append(self)
        self.count = 0
        self._reload = 0
        self._ring = None
        self._mask = 0
        self._next = -1
        self._at = 0

    def pack_ctrl(self, ring_size=0, chain_to=-1, **rest):
        """Control word; here simply the two settings that matter."""
        return (ring_size, chain_to)

    def config(self, read=None, write=None, count=0, ctrl=None, trigger=False):
        """Sets up the transfer and may start it."""
        self._ring = write
        self._mask = (1 << ctrl[0]) - 1 if ctrl[0] else len(write) - 1
        self._next = ctrl[1]
        self._reload = count
        if trigger:
            self.count = count
            chip.adc_goes_to(_samples_arrived)

    def active(self, on=None):
        """True while transfers remain."""
        return self.count > 0

    def take(self, buffer, count, total):
        """Moves the newest samples of an exchange into the ring; `total` counts also the overwritten ones."""
        self.count -= total
        at = (self._at + 2 * (total - count)) & self._mask
        source, left = 0, 2 * count
        while left:
            part = min(left, self._mask + 1 - at)
            chip.copy(self._ring, at, buffer, source, part)
            at = (at + part) & self._mask
            source += part
            left -= part
        self._at = at
        if self.count <= 0 and self._next >= 0:
            follower = DMA._channels[self._next]
            follower.count = follower._reload + self.count
            follower._at = at
            self.count = 0


def _samples_arrived(buffer, count, total):
    for channel in DMA._channels:
        if channel.count:
            channel.take(buffer, count, total)
            return
