"""A record as a line for a person, or as one JSON object for a program."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from vsecc_uart.naming import name_of_value, text_of
from vsecc_uart.values import BadRecord, FrameRecord, GapRecord, Record, other

RAW_SHOWN = 24  # bytes of a spoilt piece in a line


class Clock:
    """Writes times of records: seconds since the first one, or the time of day."""

    def __init__(self, *, of_day: bool = False) -> None:
        self._of_day = of_day
        self.zero_s: float | None = None

    def begin(self, at_s: float) -> None:
        """Seconds count from the first time told here, shown or not."""
        if self.zero_s is None:
            self.zero_s = at_s

    def text(self, at_s: float) -> str:
        """One time, always of the same width up to a day."""
        if self._of_day:
            return datetime.fromtimestamp(at_s).strftime("%H:%M:%S.%f")
        self.begin(at_s)
        assert self.zero_s is not None
        return f"{at_s - self.zero_s:12.6f}"


def line(record: Record, clock: Clock) -> str:
    """One line: time, who to whom, what."""
    who = f"{record.sender:>4} > {other(record.sender):<4}" if record.sender else " " * 11
    return f"{clock.text(record.at_s)}  {who}  {describe(record)}"


def brief(record: Record, clock: Clock) -> str:
    """A narrow line for a screen of 80 columns: what changes first, numbers and ticks last."""
    time = clock.text(record.at_s)[3:-3]
    if isinstance(record, FrameRecord) and record.message is not None:
        texts = fields_text(record)
        first = [text for text in texts if "ticks_us=" not in text]
        last = [text for text in texts if "ticks_us=" in text]
        notes = [f"[{mark}]" for mark in record.marks] + ([f"({record.problem})"] if record.problem else [])
        rest = [f"#{record.number}", f"ack {record.ack}"] if record.kind != "handshake" else []
        return " ".join([time, f"{record.sender:>4}", record.name, *notes, *first, *rest, *last])
    return " ".join([time, f"{record.sender:>4}", describe(record)])


def describe(record: Record) -> str:
    """What happened, without time and direction."""
    if isinstance(record, FrameRecord):
        return _frame(record)
    if isinstance(record, BadRecord):
        shown = record.raw[:RAW_SHOWN].hex(" ") + (" ..." if len(record.raw) > RAW_SHOWN else "")
        like = f" (like {record.looks_like})" if record.looks_like else ""
        return f"BAD {record.reason}: {record.text}{like}; {len(record.raw)} bytes {shown}"
    if isinstance(record, GapRecord):
        return f"GAP {record.text}"
    return f"-- {record.text}"


def _frame(record: FrameRecord) -> str:
    parts = [f"{record.name:<13} #{record.number:<5} ack {record.ack:<3}"]
    if record.kind == "handshake":
        parts = [f"{record.name:<13} session {record.session:04x} offers {record.number & 0xFFFF:04x}"]
    parts += fields_text(record)
    if record.wants:
        parts.append("missing " + ",".join(map(str, record.wants)))
    if record.problem:
        parts.append(f"({record.problem})")
    parts += [f"[{mark}]" for mark in record.marks if mark != "refused" or not record.problem]
    return " ".join(parts)


def fields_text(record: FrameRecord) -> list[str]:
    """`name=value` of every field."""
    return [f"{field}={text_of(record.name, field, value)}" for field, value in record.fields().items()]


def as_json(record: Record) -> dict[str, Any]:
    """Everything about a record in plain values; docs/uart-debug.md describes it."""
    base: dict[str, Any] = {"at": round(record.at_s, 6), "from": record.sender or None}
    if isinstance(record, FrameRecord):
        base |= {
            "what": "frame",
            "kind": record.kind,
            "session": record.session,
            "number": record.number,
            "ack": record.ack,
            "message": record.name if record.message is not None else None,
            "fields": {name: _plain(value) for name, value in record.fields().items()},
            "names": _names(record),
            "marks": list(record.marks),
            "problem": record.problem or None,
            "wants": list(record.wants),
            "raw": record.raw.hex(),
        }
    elif isinstance(record, BadRecord):
        base |= {
            "what": "bad",
            "reason": record.reason,
            "text": record.text,
            "looks_like": record.looks_like or None,
            "raw": record.raw.hex(),
        }
    elif isinstance(record, GapRecord):
        base |= {"what": "gap", "count": record.count, "text": record.text}
    else:
        base |= {"what": "note", "text": record.text}
    return base


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _names(record: FrameRecord) -> dict[str, str]:
    found = {name: name_of_value(record.name, name, value) for name, value in record.fields().items()}
    return {name: text for name, text in found.items() if text is not None}
