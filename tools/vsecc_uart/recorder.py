"""Records into packets: one frame or spoilt piece each, so that Wireshark's list is a list of frames."""

from __future__ import annotations

from vsecc_uart.recording import RecordingWriter
from vsecc_uart.values import BadRecord, Chunk, FrameRecord, GapRecord, Record


class Recorder:
    """Every byte of the line is in exactly one packet, in its order; gaps of the observer are counted."""

    def __init__(self, writer: RecordingWriter) -> None:
        self._writer = writer
        self._left_out: dict[str, int] = {}
        self._last_at = 0.0

    def record(self, record: Record) -> None:
        """Write what has bytes."""
        self._last_at = record.at_s
        if isinstance(record, GapRecord) and record.observer:
            self._left_out[record.sender] = self._left_out.get(record.sender, 0) + record.count
        elif isinstance(record, FrameRecord | BadRecord):
            lost = self._left_out.pop(record.sender, 0)
            comment = f"{record.reason}: {record.text}" if isinstance(record, BadRecord) else ""
            self._writer.add(Chunk(record.at_s, record.sender, record.raw, lost), comment)

    def finish(self) -> None:
        """What was left out at the very end is told by an empty packet; the file is closed."""
        for sender, lost in self._left_out.items():
            self._writer.add(Chunk(self._last_at, sender, b"", lost))
        self._writer.close()
