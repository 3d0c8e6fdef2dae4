"""The chip's USB console: bytes in a ring, a break that reaches the running program, the prompt.

The prompt speaks as MicroPython's does on a chip (friendly, raw, raw paste); the unix port lacks the others.
"""

import gc
import select
import struct
import sys

import chip

CTRL_A = 1
CTRL_B = 2
CTRL_C = 3
CTRL_D = 4
CTRL_E = 5
_RING = 256
_WINDOW = 128  # bytes of a pasted program the tool may send ahead
_IDLE_US = 1000
_FRIENDLY = 0
_RAW = 1
_RAW_BANNER = "raw REPL; CTRL-B to exit\n"


class Console:
    """Descriptors of the line to the computer; the program's own prints go out the same way."""

    def __init__(self, reader, writer):
        """`enable_break` follows the interpreter: on while a program runs, off at the prompt."""
        self._reader = reader
        self._writer = writer
        self._poller = select.poll()
        self._poller.register(reader, select.POLLIN)
        self._ring = bytearray(_RING)
        self._put = self._get = 0
        self._one = bytearray(1)
        self.enable_break = False

    def poll(self):
        """Takes what has come; CTRL-C ends a running program. Allocates nothing."""
        while (self._put + 1) % _RING != self._get:
            if not self._readable():
                return
            if not self._reader.readinto(self._one, 1):
                sys.exit(0)
            if self._one[0] == CTRL_C and self.enable_break:
                self._get = self._put
                raise KeyboardInterrupt
            self._ring[self._put] = self._one[0]
            self._put = (self._put + 1) % _RING

    def _readable(self):
        for _ in self._poller.ipoll(0):
            return True
        return False

    def read(self):
        """The next byte; the chip idles until there is one."""
        while self._get == self._put:
            self.poll()
            if self._get == self._put:
                chip.sleep_us(_IDLE_US)
        byte = self._ring[self._get]
        self._get = (self._get + 1) % _RING
        return byte

    def write(self, text):
        """Text or bytes to the computer."""
        self._writer.write(text)


class Prompt:
    """Reads programs from the console and runs them in one name space, for ever."""

    def __init__(self, console, names):
        """`names`: globals that boot.py and main.py left behind."""
        self._console = console
        self._names = names
        self._mode = _FRIENDLY

    def run(self, raw=False):
        """Does not return; an empty command in raw mode or CTRL-D is a soft reset."""
        self._mode = _RAW if raw else _FRIENDLY
        while True:
            if self._mode == _RAW:
                self._raw()
            else:
                self._friendly()

    def _friendly(self):
        write = self._console.write
        write('MicroPython v%s on %s\nType "help()" for more information.\n>>> ' % (_version(), sys.platform))
        line = bytearray()
        while True:
            byte = self._console.read()
            if byte == CTRL_A and not line:
                self._mode = _RAW
                write("\n")
                return
            if byte == CTRL_B and not line:
                write("\n")
                return
            if byte == CTRL_D and not line:
                write("\n")
                soft_reset(self._console, False)
            elif byte == CTRL_C:
                line = bytearray()
                write("\n>>> ")
            elif byte == 13:
                write("\n")
                if line:
                    self._execute(bytes(line), "single")
                line = bytearray()
                write(">>> ")
            elif byte >= 32:
                line.append(byte)
                write(bytes((byte,)))

    def _raw(self):
        write = self._console.write
        line = bytearray()
        write(_RAW_BANNER + ">")
        while True:
            byte = self._console.read()
            if byte == CTRL_A and line == b"\x05A":
                write(b"R\x01")
                self._run_marked(self._paste())
                line = bytearray()
                write(">")
            elif byte == CTRL_A and len(line) == 2 and line[0] == CTRL_E:
                write(b"R\x00")
                line = bytearray()
                write(">")
            elif byte == CTRL_A:
                return
            elif byte == CTRL_B:
                write("\n")
                self._mode = _FRIENDLY
                return
            elif byte == CTRL_C:
                line = bytearray()
            elif byte == CTRL_D:
                write("OK")
                if not line:
                    write("\n")
                    soft_reset(self._console, True)
                self._run_marked(line)
                line = bytearray()
                write(">")
            else:
                line.append(byte)

    def _paste(self):
        """A program sent with flow control; None when the tool gave it up."""
        write = self._console.write
        write(struct.pack("<HB", _WINDOW, 1))
        program = bytearray()
        left = _WINDOW
        while True:
            byte = self._console.read()
            if byte in (CTRL_C, CTRL_D):
                write(b"\x04")
                return program if byte == CTRL_D else None
            program.append(byte)
            left -= 1
            if not left:
                write(b"\x01")
                left = _WINDOW

    def _run_marked(self, program):
        """Runs it with the marks that end its output and its error text."""
        if program is None:
            self._console.write(b"\x04KeyboardInterrupt: \n\x04")
        else:
            self._execute(bytes(program), "exec", b"\x04")
            self._console.write(b"\x04")

    def _execute(self, program, kind, mark=b""):
        console = self._console
        try:
            code = compile(program, "<stdin>", kind)
            console.enable_break = True
            exec(code, self._names)
            console.enable_break = False
            console.write(mark)
        except BaseException as error:
            console.enable_break = False
            console.write(mark)
            if isinstance(error, SystemExit):
                soft_reset(console, self._mode == _RAW)
            sys.print_exception(error)
        gc.collect()


def soft_reset(console, raw):
    """The interpreter starts anew, the chip does not."""
    console.write("MPY: soft reboot\n")
    chip.soft_reset(1 if raw else 0)


def _version():
    return ".".join([str(number) for number in sys.implementation.version[:3]])
