"""Both directions of the line: chunks in, records out; knows sessions, numbers and acknowledgements.

Sans-I/O, and the same live and on a recording: `receive` and `tick` in time order, then `take`.
"""

from __future__ import annotations

from vsecc_link import arq, frame
from vsecc_link import messages as catalogue
from vsecc_link.envelope import ROLE_NAMES, unpack
from vsecc_uart.cutter import Cutter, Good, Spoilt
from vsecc_uart.values import (
    HOST,
    MCU,
    SENDERS,
    BadRecord,
    Chunk,
    FrameRecord,
    GapRecord,
    Message,
    NoteRecord,
    Record,
    other,
)

# Frames in a row of a session whose beginning was not seen, until it counts as the present one.
ADOPT_AFTER = 3


class _Flow:
    """What one end sent in the present session."""

    def __init__(self, session: int | None = None, *, from_start: bool = False) -> None:
        self.session = session
        self.expected: int | None = 1 if from_start else None  # next reliable number in order
        self.early: set[int] = set()
        self.counted: int | None = 0 if from_start else None  # last number of a cyclic or ack frame
        self.acked = 1  # its receiver has everything before this number

    def reliable(self, number: int) -> tuple[str, ...]:
        """Marks of a reliable frame of that number."""
        if self.expected is None:
            self.expected = self.acked = number
        if number < self.expected or number in self.early:
            return ("repeat", "duplicate") if number < self.acked else ("repeat",)
        if number > self.expected:
            if number < self.expected + 2 * arq.WINDOW:
                self.early.add(number)
            else:  # the observer missed more than the line can
                self.expected = number + 1
                self.early.clear()
            return ("early",)
        self.expected += 1
        while self.expected in self.early:
            self.early.remove(self.expected)
            self.expected += 1
        return ()

    def cyclic(self, number: int) -> tuple[tuple[str, ...], int]:
        """(marks, frames missing before it) of a cyclic or ack frame of that number."""
        last, missing = self.counted, 0
        if last is not None and number <= last:
            return ("replay",), 0
        if last is not None:
            missing = number - last - 1
        self.counted = number
        return (), missing

    def acknowledge(self, low8: int) -> None:
        """Its receiver expects the number with these low 8 bits."""
        ahead = (low8 - self.acked) & 0xFF
        if ahead <= 2 * arq.WINDOW:
            self.acked += ahead


class LineDecoder:
    """Times are seconds since the epoch, or whatever the chunks count in."""

    def __init__(self) -> None:
        self._cutters = {sender: Cutter() for sender in SENDERS}
        self._flows = {sender: _Flow() for sender in SENDERS}
        self._offered: dict[str, int | None] = {HOST: None, MCU: None}
        self._strangers: dict[str, tuple[int, int]] = {}  # sender -> session, how often in a row
        self._records: list[Record] = []
        self._catalogue_crc = catalogue.catalogue_crc()

    def receive(self, chunk: Chunk) -> None:
        """Bytes of one end; what became due before them is told first."""
        self.tick(chunk.at_s)
        if chunk.lost:
            text = f"{chunk.lost} chunk{'s' * (chunk.lost > 1)} not seen: the observer was too slow"
            self._records.append(
                GapRecord(at_s=chunk.at_s, sender=chunk.sender, count=chunk.lost, text=text, observer=True)
            )
        self._cutters[chunk.sender].receive(chunk.data, chunk.at_s)
        self._collect(chunk.sender)

    def next_deadline(self) -> float | None:
        """When `tick` is wanted."""
        waits = [at for cutter in self._cutters.values() if (at := cutter.next_deadline()) is not None]
        return min(waits, default=None)

    def tick(self, now_s: float) -> None:
        """Time has passed."""
        for sender, cutter in self._cutters.items():
            due = cutter.next_deadline()
            if due is not None and due <= now_s:
                cutter.tick(now_s)
                self._collect(sender)

    def finish(self) -> None:
        """The line ended: what is left is told."""
        for sender, cutter in self._cutters.items():
            cutter.finish()
            self._collect(sender)

    def note(self, at_s: float, text: str) -> None:
        """Put a line about the observer between the records."""
        self._records.append(NoteRecord(at_s=at_s, text=text))

    def take(self) -> list[Record]:
        """Records since the last call, in the order of their bytes."""
        records = self._records
        if records:
            self._records = []
        return records

    def _collect(self, sender: str) -> None:
        for piece in self._cutters[sender].take():
            if isinstance(piece, Spoilt):
                self._records.append(
                    BadRecord(
                        at_s=piece.at_s,
                        sender=sender,
                        raw=piece.raw,
                        reason=piece.reason,
                        text=piece.text,
                        looks_like=piece.looks_like,
                    )
                )
            else:
                self._on_frame(sender, piece)

    def _on_frame(self, sender: str, piece: Good) -> None:
        kind = frame.KIND_NAMES[piece.kind] if piece.kind < len(frame.KIND_NAMES) else f"kind {piece.kind}"
        message, problem, wants = self._contents(sender, piece)
        marks = self._follow(sender, piece, message)
        if problem:
            marks = (*marks, "refused")
        self._records.append(
            FrameRecord(
                at_s=piece.at_s,
                sender=sender,
                raw=piece.raw,
                kind=kind,
                session=piece.session,
                number=piece.number,
                ack=piece.ack,
                message=message,
                problem=problem,
                marks=marks,
                wants=wants,
            )
        )

    def _contents(self, sender: str, piece: Good) -> tuple[Message | None, str, tuple[int, ...]]:
        """(message, why there is none, numbers an ack asks for)."""
        if piece.kind == frame.ACK:
            return None, "", _wanted(piece)
        if piece.kind >= len(frame.KIND_NAMES):
            return None, "unknown kind of frame", ()
        message, problem = unpack(piece.payload, ROLE_NAMES.index(sender))
        if message is not None and piece.kind != frame.HANDSHAKE:
            travel = (
                frame.CYCLIC if catalogue.CATALOGUE[message[0]][2] == catalogue.CYCLIC else frame.RELIABLE
            )
            if travel != piece.kind:
                problem = f"{catalogue.name_of(message[0])} in the wrong kind of frame"
        return message, problem or "", ()

    def _follow(self, sender: str, piece: Good, message: Message | None) -> tuple[str, ...]:
        """Sessions, numbers, acknowledgements; the marks of this frame."""
        if piece.kind == frame.HANDSHAKE:
            self._on_handshake(sender, piece, message)
            return ()
        if not self._belongs(sender, piece):
            return ("stray",)
        flow = self._flows[sender]
        self._flows[other(sender)].acknowledge(piece.ack)
        if piece.kind == frame.RELIABLE:
            return flow.reliable(piece.number)
        marks, missing = flow.cyclic(piece.number)
        if missing:
            numbers = f"{piece.number - missing}" + (f"..{piece.number - 1}" if missing > 1 else "")
            text = f"cyclic or ack frame{'s' * (missing > 1)} {numbers} missing"
            self._records.append(GapRecord(at_s=piece.at_s, sender=sender, count=missing, text=text))
        return marks

    def _on_handshake(self, sender: str, piece: Good, message: Message | None) -> None:
        """Each end learns here which session number the other wants to see."""
        if message is None:
            return
        if message[0] in (catalogue.HELLO, catalogue.HELLO_REQUEST) and message[3] != self._catalogue_crc:
            text = f"the {sender} has catalogue {message[3]:08x}, this program {self._catalogue_crc:08x}: "
            self._records.append(
                NoteRecord(at_s=piece.at_s, text=text + "do not believe what fields are called")
            )
        if message[0] == catalogue.HELLO_REQUEST:
            self._offered[MCU] = piece.number & 0xFFFF
        elif message[0] == catalogue.HELLO:
            self._offered[HOST] = piece.number & 0xFFFF
            self._offered[MCU] = piece.session

    def _belongs(self, sender: str, piece: Good) -> bool:
        flow = self._flows[sender]
        if piece.session == flow.session:
            self._strangers.pop(sender, None)
            return True
        if piece.session == self._offered[sender]:
            self._begin(sender, piece, from_start=True)
            return True
        if flow.session is None:
            self._flows[sender] = _Flow(piece.session)
            return True
        session, count = self._strangers.get(sender, (piece.session, 0))
        count = count + 1 if session == piece.session else 1
        self._strangers[sender] = (piece.session, count)
        if count < ADOPT_AFTER:
            return False
        self._begin(sender, piece, from_start=False)
        return True

    def _begin(self, sender: str, piece: Good, *, from_start: bool) -> None:
        self._strangers.pop(sender, None)
        self._flows[sender] = _Flow(piece.session, from_start=from_start)
        whose = "begins" if from_start else "taken up in its middle"
        text = f"session {piece.session:04x} of frames from the {sender} {whose}"
        self._records.append(NoteRecord(at_s=piece.at_s, text=text, sender=sender))


def _wanted(piece: Good) -> tuple[int, ...]:
    """Low bits of the reliable numbers an ack frame with MISSING asks for."""
    if not piece.flags & frame.FLAG_MISSING or len(piece.payload) != 2:
        return ()
    there = int.from_bytes(piece.payload, "little")
    missing = [piece.ack]
    for bit in range(there.bit_length()):
        if not there >> bit & 1:
            missing.append((piece.ack + 1 + bit) & 0xFF)
    return tuple(missing)
