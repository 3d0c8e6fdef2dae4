"""TCP segments that passed an interface, with the kernel's time stamps, and the bytes of one direction."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from vsecc_bench.ecog import inside

_SEQUENCE = 1 << 32


class Segment(NamedTuple):
    """A TCP segment: time in s, ports, sequence number, whether it opens its direction (SYN)."""

    at: float
    source: int
    destination: int
    sequence: int
    opens: bool
    data: bytes


class Stream:
    """Bytes of one direction in order; what was sent twice counts once, at the first time."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._early: dict[int, Segment] = {}

    def begin(self, sequence: int) -> None:
        """After SYN."""
        self._next = (sequence + 1) % _SEQUENCE

    def hear(self, segment: Segment) -> Iterator[tuple[float, bytes]]:
        """What continues the stream now, each piece with the time of its segment."""
        if self._next is None:
            self._next = segment.sequence
        self._early.setdefault(segment.sequence, segment)
        while (found := self._early.pop(self._next, None)) is not None:
            self._next = (self._next + len(found.data)) % _SEQUENCE
            yield segment.at, found.data


class Tap:
    """What passed an interface, filled when the `watching` block is left."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.complete = False  # nothing was lost for want of room

    def read(self, lines: Iterable[str]) -> None:
        """Lines of the tap process."""
        for line in lines:
            at, source, destination, sequence, opens, data = json.loads(line)
            self.segments.append(Segment(at, source, destination, sequence, opens, bytes.fromhex(data)))


@contextlib.contextmanager
def watching(interface: str, namespace: str | None = None) -> Iterator[Tap]:
    """Record an interface, in a network namespace if given, while the body runs; RuntimeError if not."""
    command = [sys.executable, "-m", "vsecc_bench.wire_tap", interface]
    process = subprocess.Popen(
        command if namespace is None else inside(namespace, *command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    tap = Tap()
    try:
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"cannot record {interface}: that needs root")
        yield tap
    finally:
        told, _ = process.communicate()
        tap.read(told.splitlines())
        tap.complete = process.returncode == 0
