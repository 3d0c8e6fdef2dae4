"""Recordings: pcapng files in a ring of bounded size; written block by block: a kill loses nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from vsecc_host.records import pcapng
from vsecc_host.records.pcapng_read import Packet, PcapngError, PcapngReader
from vsecc_uart.values import HOST, MCU, Chunk

APPLICATION = "vsecc mcu record"
INTERFACE = "mcu-uart"
DEFAULT_SIZE_BYTES = 64 << 20
DEFAULT_FILES = 4
SIZE_MIN_BYTES = 16 << 10
FILES_MAX = 100
_READ_AT_ONCE = 1 << 16

_DIRECTIONS = {MCU: pcapng.INBOUND, HOST: pcapng.OUTBOUND}
_SENDERS = {direction: sender for sender, direction in _DIRECTIONS.items()}


class BadRecording(ValueError):
    """The file is no recording of the line; one line that says why."""


class RecordingWriter:
    """A ring of files: `path` is the newest, `path` with .1 before its suffix the one before, and so on.

    All together stay below `size_bytes`. Each `add` is one write of whole blocks: what was added survives
    the end of this process however it comes.
    """

    def __init__(
        self, path: Path, *, size_bytes: int = DEFAULT_SIZE_BYTES, files: int = DEFAULT_FILES
    ) -> None:
        """OSError when the file cannot be written; ValueError for a ring that makes no sense."""
        if size_bytes < SIZE_MIN_BYTES * files or not 1 <= files <= FILES_MAX:
            raise ValueError(
                f"a ring of {files} files takes at least {SIZE_MIN_BYTES * files} bytes, "
                f"and 1 to {FILES_MAX} files"
            )
        self.path = path
        self.packets = 0
        self._file_max = size_bytes // files
        self._files = files
        self._fd = -1
        self._size = 0
        self._remove_older()
        self._open()

    def add(self, chunk: Chunk, comment: str = "") -> None:
        """Write one packet."""
        block = pcapng.packet(
            0, chunk.at_s, chunk.data, _DIRECTIONS[chunk.sender], comment[:200], dropped=chunk.lost
        )
        if self._size + len(block) > self._file_max:
            self._turn()
        self._write(block)
        self.packets += 1

    def close(self) -> None:
        """Nothing more follows."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self._size = 0
        self._write(pcapng.section_header(APPLICATION) + pcapng.interface(pcapng.LINKTYPE_USER0, INTERFACE))

    def _write(self, block: bytes) -> None:
        written = 0
        while written < len(block):  # a full disk raises, a signal may cut short
            written += os.write(self._fd, block[written:])
        self._size += len(block)

    def _turn(self) -> None:
        """The file is full: each one becomes the next older, the oldest goes."""
        self.close()
        for number in range(self._files - 1, 0, -1):
            younger = older_file(self.path, number - 1)
            if number == self._files - 1:
                older_file(self.path, number).unlink(missing_ok=True)
            if younger.exists():
                younger.rename(older_file(self.path, number))
        self._open()

    def _remove_older(self) -> None:
        """Files of an earlier recording of this name would pass for this one's past."""
        for number in range(1, FILES_MAX):
            older_file(self.path, number).unlink(missing_ok=True)


def older_file(path: Path, number: int) -> Path:
    """The file `number` turns ago; 0 is the path itself."""
    return path.with_name(f"{path.stem}.{number}{path.suffix}") if number else path


def ring_of(path: Path) -> list[Path]:
    """All files of a recording, oldest first."""
    number = 0
    while number + 1 < FILES_MAX and older_file(path, number + 1).exists():
        number += 1
    return [older_file(path, index) for index in range(number, -1, -1)]


class PacketSorter:
    """Turns packets into chunks of the line and counts what is something else."""

    def __init__(self) -> None:
        self.foreign = 0  # packets of other links, V2G in the same file
        self.undirected = 0

    def chunk(self, packet: Packet) -> Chunk | None:
        """The chunk in a packet; None when there is none."""
        if packet.link_type != pcapng.LINKTYPE_USER0:
            self.foreign += 1
            return None
        sender = _SENDERS.get(packet.direction)
        if sender is None:
            self.undirected += 1
            return None
        return Chunk(packet.at_s, sender, packet.data, packet.dropped)


def read_chunks(path: Path, problems: list[str] | None = None) -> Iterator[Chunk]:
    """Chunks of a recording, its ring oldest first; BadRecording when the first file is none at all.

    Damage further on ends the reading of that file and is told in `problems`, as is a cut-off last block.
    """
    told = problems if problems is not None else []
    sorter = PacketSorter()
    files = ring_of(path)
    for file in files:
        yield from _read_one(file, sorter, told, must_be_good=len(files) == 1)
    if sorter.undirected:
        told.append(f"{sorter.undirected} packets without a direction left out")


def _read_one(path: Path, sorter: PacketSorter, told: list[str], *, must_be_good: bool) -> Iterator[Chunk]:
    reader = PcapngReader()
    seen = 0
    with path.open("rb") as file:
        while data := file.read(_READ_AT_ONCE):
            try:
                packets = reader.feed(data)
            except PcapngError as error:
                if not seen and must_be_good:
                    raise BadRecording(f"{path}: {error}") from error
                told.append(f"{path}: {error}")
                return
            for packet in packets:
                seen += 1
                chunk = sorter.chunk(packet)
                if chunk is not None:
                    yield chunk
        if must_be_good and not file.tell():
            raise BadRecording(f"{path}: is empty")
    if reader.unfinished:
        told.append(f"{path}: cut off, the last {reader.unfinished} bytes are no whole block")


def parse_size(text: str) -> int:
    """`64M`, `500k`, `1G` or bytes; ValueError otherwise."""
    factors = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
    factor = factors.get(text[-1:].lower(), 1)
    digits = text[:-1] if factor > 1 else text
    if not digits.isdecimal() or len(digits) > 12:
        raise ValueError(f"{text!r} is no size: bytes, or with k, M or G behind")
    return int(digits) * factor
