"""What a device at its prompt tells about itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mcu import crash
from vsecc_host.mcu_flash.console import Console
from vsecc_host.mcu_flash.errors import FlashError
from vsecc_host.mcu_flash.image_set import Hashes

SLOTS = ("a", "b")
POINTER = "/slot"
COMPLETE = "complete"
PACKAGES = ("mcu", "vsecc_link")
ROOT_FILES = ("boot.py", "main.py")
ARCHITECTURES = (
    "", "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp", "xtensa", "xtensawin",
    "rv32imc", "rv64imc",
)  # fmt: skip
OLDEST_VERSION = (1, 22)

_IDENTITY = (
    "(sys.implementation.name, tuple(sys.implementation.version[:3]), "
    "getattr(sys.implementation, '_machine', sys.platform), getattr(sys.implementation, '_mpy', 0))"
)
_STATE = """
def _text(path):
 try:
  with open(path, 'rb') as f:
   return f.read(2000)
 except OSError:
  return None
_v = os.statvfs('/')
gc.collect()
print(repr((_text('/slot'), [_text('/%s/complete' % l) for l in 'ab'],
 {n: _sha('/' + n) for n in ('boot.py', 'main.py') if n in os.listdir('/')}, globals().get('active_slot'),
 _v[0], _v[3], gc.mem_free(), gc.mem_alloc(), _text('/crash'), _cause)))
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """The interpreter: `mpy` is (format version, native sub-version, architecture of native code)."""

    name: str
    version: tuple[int, ...]
    machine: str
    mpy: tuple[int, int, str]

    def describe(self) -> str:
        """One short text."""
        return f"{self.name} {'.'.join(map(str, self.version))} on {self.machine}"


@dataclass(frozen=True, slots=True)
class Slot:
    """Files of one slot; `complete`: they were all written and checked, the recorded digest is theirs."""

    letter: str
    hashes: Hashes
    recorded: str
    digest: str

    @property
    def complete(self) -> bool:
        """True when the last flash of this slot came to its end and nothing has changed since."""
        return bool(self.hashes) and self.recorded == self.digest


@dataclass(frozen=True, slots=True)
class DeviceState:
    """Everything `info` shows and a flash builds on."""

    identity: Identity
    pointer: str | None
    on_trial: bool
    running: str | None
    slots: dict[str, Slot]
    root: Hashes
    block_bytes: int
    free_blocks: int
    heap_free: int
    heap_used: int
    crash: tuple[int, int, str] | None
    reset_cause: int | None

    def base(self) -> str | None:
        """Letter of the slot to fall back to, a complete one before any other; None on a new device.

        Of two complete ones it is the settled one, or while that is on trial the other.
        """
        named = self.pointer or self.running or SLOTS[0]
        other = other_slot(named)
        for letter in (other, named) if self.on_trial else (named, other):
            if self.slots[letter].complete:
                return letter
        return next((letter for letter in (named, other) if self.slots[letter].hashes), None)

    @property
    def free_bytes(self) -> int:
        """Of the file system."""
        return self.block_bytes * self.free_blocks


def other_slot(letter: str) -> str:
    """The one of the two that is not this."""
    return SLOTS[1 - SLOTS.index(letter)]


def read_identity(console: Console) -> Identity:
    """Which interpreter answers; FlashError when it is none we can use."""
    name, version, machine, mpy = console.value(_IDENTITY)
    if name != "micropython":
        raise FlashError(f"the device runs {name}, not MicroPython")
    version = tuple(int(part) for part in version)
    if version[:2] < OLDEST_VERSION:
        oldest = ".".join(map(str, OLDEST_VERSION))
        raise FlashError(f"MicroPython {'.'.join(map(str, version))} is too old, {oldest} or newer is needed")
    arch = mpy >> 10 & 0xF
    known = ARCHITECTURES[arch] if arch < len(ARCHITECTURES) else f"architecture {arch}"
    return Identity(name, version, str(machine), (mpy & 0xFF, mpy >> 8 & 3, known))


def read_state(console: Console) -> DeviceState:
    """Reads it all; takes a second or two on a chip, for the hashes."""
    identity = read_identity(console)
    found: Any = console.answer(_STATE)
    named, marks, root, running, block_bytes, free_blocks, heap_free, heap_used, report, cause = found
    pointer = _text(named).strip()
    valid = pointer[:1] in SLOTS and pointer[:1] and pointer[1:] in ("", "?")
    slots = {
        letter: _read_slot(console, letter, _text(mark)) for letter, mark in zip(SLOTS, marks, strict=True)
    }
    return DeviceState(
        identity=identity,
        pointer=pointer[0] if valid else None,
        on_trial=bool(valid and pointer[1:]),
        running=running if running in SLOTS else None,
        slots=slots,
        root=root,
        block_bytes=block_bytes,
        free_blocks=max(0, free_blocks),  # littlefs counts shared blocks twice
        heap_free=heap_free,
        heap_used=heap_used,
        crash=crash.parse(_text(report)),
        reset_cause=cause,
    )


def _text(content: bytes | None) -> str:
    """A file that was damaged is no reason to stop; what is in it then names nothing."""
    return (content or b"").decode("utf-8", "replace")


def _read_slot(console: Console, letter: str, mark: str) -> Slot:
    hashes = console.value(f"_hashes('/{letter}')")
    hashes.pop(COMPLETE, None)
    return Slot(letter, hashes, mark, console.value(f"_total('/{letter}')"))
