"""mpremote's transport with what a device in service needs: a safe stop, a fed watchdog, clear errors."""

from __future__ import annotations

import ast
import contextlib
import errno
import io
import os
import re
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import serial
from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from vsecc_host.mcu_flash.errors import ConnectionLost, FlashError, NoPrompt

READ_TIMEOUT_S = 3.0
BREAKS = 4
BREAK_TIMEOUT_S = 1.0
BREAK_READ_S = 0.1
CONSOLE_WATCHDOG_MS = 8300  # of the 8388 the chip can
CHUNK_BYTES = 1024
# Nothing we ask for has a longer answer.
ANSWER_MAX_BYTES = 1 << 16
_FILE_ERRORS = {
    errno.ENOSPC: "the device's flash is full",
    errno.EROFS: "the device's file system is read-only",
}

# Runs once after the break-in. The watchdog brings a device back whose tool or cable has gone.
_HELPERS = """
import gc, hashlib, os, sys
_cause = getattr(sys.modules.get('mcu.crash'), 'last_cause', None)
for _name in list(sys.modules):
 if _name.split('.')[0] in ('mcu', 'vsecc_link'):
  del sys.modules[_name]
main = None
gc.enable()
gc.collect()
class _Nothing:
 def feed(self): pass
try:
 import machine
 _wd = machine.WDT(timeout=%d)
except (ImportError, AttributeError):
 _wd = _Nothing()
def _walk(folder, name=''):
 for entry in os.ilistdir(folder):
  path = folder + '/' + entry[0]
  if entry[1] & 0x4000:
   for found in _walk(path, name + entry[0] + '/'):
    yield found
  else:
   yield name + entry[0], path
def _sha(path):
 h = hashlib.sha256()
 buf = bytearray(512)
 with open(path, 'rb') as f:
  while True:
   n = f.readinto(buf)
   if not n:
    return h.digest()
   h.update(buf if n == 512 else memoryview(buf)[:n])
def _hashes(folder):
 try:
  os.stat(folder)
 except OSError:
  return {}
 found = {}
 for name, path in _walk(folder):
  _wd.feed()
  found[name] = _sha(path)
 return found
def _total(folder):
 total = hashlib.sha256()
 buf = bytearray(512)
 try:
  names = sorted(n for n, _ in _walk(folder) if '/' in n)
 except OSError:
  names = []
 for name in names:
  _wd.feed()
  path = folder + '/' + name
  total.update(b'%%d:' %% len(name) + name.encode() + b'%%d:' %% os.stat(path)[6])
  with open(path, 'rb') as f:
   while True:
    n = f.readinto(buf)
    if not n:
     break
    total.update(buf if n == 512 else memoryview(buf)[:n])
 return total.digest().hex()
def _copy(source, target):
 buf = bytearray(512)
 with open(source, 'rb') as f:
  with open(target, 'wb') as g:
   while True:
    n = f.readinto(buf)
    if not n:
     break
    g.write(buf if n == 512 else memoryview(buf)[:n])
"""


# boot.py's own way notes that the reset was wanted; a device without it restarts all the same.
_RESTART = """
import machine, time
time.sleep_ms(50)
try:
 restart()
except NameError:
 machine.reset()
"""


def device_path(port: str) -> str:
    """What pyserial opens for a port: a path, `pty:///PATH`, `serial:///PATH` or `tcp://HOST:PORT`."""
    parts = urlsplit(port)
    if parts.scheme == "tcp":
        if not parts.hostname or not parts.port:
            raise FlashError(f"{port}: expected tcp://HOST:PORT")
        return f"socket://{parts.hostname}:{parts.port}"
    if parts.scheme in ("pty", "serial"):
        return os.path.realpath(parts.netloc + parts.path)
    if parts.scheme:
        raise FlashError(f"{port}: expected a device, pty:///PATH or tcp://HOST:PORT")
    return os.path.realpath(port)


class Console(SerialTransport):  # type: ignore[misc]
    """A device whose program has been stopped, its relays open. Every method may raise FlashError."""

    def __init__(self, port: str, on_operation: Callable[[int], None] | None = None) -> None:
        """Opens the port; nothing is sent. `on_operation` hears the number of every call of the device."""
        self.operations = 0
        self._on_operation = on_operation
        self._has_helpers = False
        path = device_path(port)
        try:
            super().__init__(path, timeout=READ_TIMEOUT_S)
        except (TransportError, OSError, ValueError) as error:
            raise FlashError(_why_not(port, path, error)) from error

    def break_in(self) -> None:
        """Stops the running program, which opens its relays, and takes the prompt over."""
        with _translated():
            self._enter()
            self.exec(_HELPERS % CONSOLE_WATCHDOG_MS)
            self._has_helpers = True

    def _enter(self) -> None:
        """A break can fall between two programs of the start and be lost: once more, then."""
        self.serial.timeout = BREAK_READ_S
        for left in reversed(range(BREAKS)):
            try:
                # mpremote prints what it did not expect.
                with contextlib.redirect_stdout(io.StringIO()):
                    self.enter_raw_repl(soft_reset=False, timeout_overall=BREAK_TIMEOUT_S)
                self.serial.timeout = READ_TIMEOUT_S
                return
            except TransportError:
                if not left:
                    raise

    def run(self, program: str) -> str:
        """What the program prints."""
        with _translated():
            return bytes(self.exec(program)).decode("utf-8", "replace")

    def value(self, expression: str) -> Any:
        """Value of an expression."""
        with _translated():
            return self.eval(expression)

    def answer(self, program: str) -> Any:
        """The value that the program prints."""
        with _translated():
            return ast.literal_eval(bytes(self.exec(program)).decode().strip())

    def read_until(
        self,
        min_num_bytes: int,
        ending: bytes,
        timeout: float | None = 10,
        data_consumer: object = None,
        timeout_overall: float | None = None,
    ) -> bytes:
        """As in mpremote, which waits for ever where something never stops talking."""
        begun = heard = time.monotonic()
        data = bytearray()
        while not data.endswith(ending) and len(data) < ANSWER_MAX_BYTES:
            now = time.monotonic()
            new = self.serial.read(1) if self.is_pty or self.serial.in_waiting else b""
            if new:
                data += new
                heard = now
            elif timeout is not None and now >= heard + timeout:
                break
            else:
                time.sleep(0.01)
            if timeout_overall is not None and now >= begun + timeout_overall:
                break
        return bytes(data)

    def exec_raw_no_follow(self, command: str | bytes) -> None:
        """As in mpremote; the watchdog is fed first."""
        self.operations += 1
        if self._on_operation:
            self._on_operation(self.operations)
        text = command if isinstance(command, bytes) else command.encode()
        # mpremote prints what it did not expect.
        with contextlib.redirect_stdout(io.StringIO()):
            super().exec_raw_no_follow(b"_wd.feed()\n" + text if self._has_helpers else text)

    def write_file(
        self, path: str, content: bytes, progress: Callable[[int, int], None] | None = None
    ) -> None:
        """Writes a whole file, and not yet under its final name where that matters."""
        with _translated():
            self.fs_writefile(path, content, chunk_size=CHUNK_BYTES, progress_callback=progress)

    def replace_file(self, path: str, content: bytes) -> None:
        """The file has its old content or the new one, whatever happens."""
        self.write_file(path + ".new", content)
        self.run(f"os.rename({path + '.new'!r}, {path!r})")

    def restart(self) -> None:
        """Resets the chip, in the middle of whatever; the console goes with it."""
        # The port may go before everything was said about it.
        with contextlib.suppress(TransportError, OSError, IndexError, ValueError, struct.error):
            self._enter()
            self.exec_raw_no_follow(_RESTART)
        self.close()

    def close(self) -> None:
        """Closes the port, whatever state it is in."""
        with contextlib.suppress(OSError, TransportError):
            super().close()
        with contextlib.suppress(OSError):
            self.serial.close()


class _translated:
    """mpremote's and the system's errors as ours."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, TransportExecError):
            raise FlashError(_in_words(_last_line(error.error_output))) from error
        # mpremote's form of an error of the device's file system; pyserial's are subclasses.
        if type(error) is OSError and error.errno in _FILE_ERRORS:
            raise FlashError(_FILE_ERRORS[error.errno]) from error
        if isinstance(error, TransportError) and "raw repl" in str(error):
            raise NoPrompt("no MicroPython answers at the console") from error
        if isinstance(error, (SyntaxError, UnicodeError)):
            raise ConnectionLost("the console answers nonsense: is another program on it?") from error
        # struct.error and IndexError: mpremote was given less than it asked for.
        if isinstance(error, (TransportError, OSError, IndexError, ValueError, struct.error)):
            raise ConnectionLost("lost the console (cable, power or a reset)") from error


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""


def _in_words(error: str) -> str:
    """An exception of the device, which its prompt prints by number, by name or by both."""
    for number, words in _FILE_ERRORS.items():
        if re.match(rf"OSError: .*\b({number}|{errno.errorcode[number]})\b", error):
            return words
    return f"the device says: {error}"


def _why_not(port: str, path: str, error: Exception) -> str:
    """Why a port cannot be opened; mpremote hides the reason."""
    if not path.startswith("socket://"):
        if not Path(path).exists():
            return f"{port}: no device there"
        if not Path(path).is_char_device():
            return f"{port}: is no serial port"
    try:
        serial.serial_for_url(path, exclusive=True, timeout=1).close()
    except (OSError, ValueError) as reason:
        text = str(reason)
        if "lock" in text.lower() or "busy" in text.lower():
            return f"{port}: busy, another program has it open"
        if "denied" in text.lower():
            return f"{port}: permission denied (is this user in the group dialout?)"
        if "ioctl" in text:
            return f"{port}: is no serial port"
        return f"{port}: {_last_line(text)}"
    return f"{port}: {error}"


def open_console(
    port: str, *, wait_s: float = 0.0, attempts: int = 3, on_operation: Callable[[int], None] | None = None
) -> Console:
    """A device at its prompt. A watchdog that was armed may restart the chip under us: then once more."""
    deadline = time.monotonic() + wait_s
    while True:
        try:
            console = Console(port, on_operation)
        except FlashError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.05)
            continue
        try:
            console.break_in()
            return console
        except ConnectionLost:
            console.close()
            attempts -= 1
            if attempts <= 0:
                raise
            deadline = max(deadline, time.monotonic() + 5.0)
            time.sleep(0.2)
        except KeyboardInterrupt:  # the program may be stopped, and no watchdog armed yet
            console.restart()
            raise
        except BaseException:
            console.close()
            raise
