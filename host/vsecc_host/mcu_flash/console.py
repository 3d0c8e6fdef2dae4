"""mpremote's transport with what a device in service needs: a safe stop, a fed watchdog, clear errors."""

from __future__ import annotations

import ast
import contextlib
import errno
import io
import re
import struct
import time
from collections.abc import Callable
from typing import Any

from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport

from vsecc_host.mcu_flash.errors import ConnectionLost, FlashError, NoPrompt
from vsecc_host.mcu_flash.on_device import HELPERS, RESTART
from vsecc_host.mcu_flash.port import device_path, last_line, why_not

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
            raise FlashError(why_not(port, path, error)) from error

    def break_in(self) -> None:
        """Stops the running program, which opens its relays, and takes the prompt over."""
        with _translated():
            self._enter()
            self.exec(HELPERS % CONSOLE_WATCHDOG_MS)
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
            self.exec_raw_no_follow(RESTART)
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
            raise FlashError(_in_words(last_line(error.error_output))) from error
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


def _in_words(error: str) -> str:
    """An exception of the device, which its prompt prints by number, by name or by both."""
    for number, words in _FILE_ERRORS.items():
        if re.match(rf"OSError: .*\b({number}|{errno.errorcode[number]})\b", error):
            return words
    return f"the device says: {error}"


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
