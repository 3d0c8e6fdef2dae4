"""Figures of a line, from records alone: the same live and on a recording."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from vsecc_link import arq
from vsecc_link import messages as catalogue
from vsecc_uart.drift import TICKS_PERIOD, Drift
from vsecc_uart.series import Series
from vsecc_uart.values import (
    HOST,
    MCU,
    SENDERS,
    BadRecord,
    FrameRecord,
    GapRecord,
    NoteRecord,
    Record,
    other,
)

BITS_PER_BYTE = 10  # 8N1
DEFAULT_BAUD = 921_600
_CYCLIC = {row[0] for row in catalogue.CATALOGUE.values() if row[2] == catalogue.CYCLIC}
_STAMPS_KEPT = 64


@dataclass(slots=True)
class Kind:
    """One sort of frame of one sender."""

    count: int = 0
    bytes: int = 0
    last_at: float | None = None
    every: Series = field(default_factory=Series)  # s between two of them


@dataclass(slots=True)
class Side:
    """What one end sent."""

    frames: int = 0
    bytes: int = 0
    kinds: dict[str, Kind] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    missing: int = 0  # frames by their numbers, chunks the observer left out
    until_ack: Series = field(default_factory=Series)
    under_way: dict[int, float] = field(default_factory=dict)  # reliable number -> first sent


class Statistics:
    """`add` every record in order; the rest are figures. `baud` of 0: no UART, no utilisation."""

    def __init__(self, baud: int = DEFAULT_BAUD) -> None:
        self.baud = baud
        self.sides = {sender: Side() for sender in SENDERS}
        self.first_at: float | None = None
        self.last_at = 0.0
        self.sessions = 0
        self.stamp_trip = Series()  # GRANT sent to the STATUS that tells its stamp
        self.on_wires = Series()  # the same without what the MCU waited
        self.drift = Drift()
        self._stamps: dict[int, float] = {}

    @property
    def span_s(self) -> float:
        """From the first record to the last."""
        return self.last_at - self.first_at if self.first_at is not None else 0.0

    def add(self, record: Record) -> None:
        """One more record."""
        if self.first_at is None:
            self.first_at = record.at_s
        self.last_at = max(self.last_at, record.at_s)
        if isinstance(record, FrameRecord):
            self._frame(record)
        elif isinstance(record, BadRecord):
            self.sides[record.sender].bytes += len(record.raw)
            self.sides[record.sender].errors[record.reason] += 1
        elif isinstance(record, GapRecord):
            self.sides[record.sender].missing += record.count
        elif isinstance(record, NoteRecord) and record.sender:
            self._new_session(record.sender)

    def errors(self, sender: str) -> int:
        """Bad pieces and marked frames of one end, early ones apart: those only wait."""
        return sum(count for name, count in self.sides[sender].errors.items() if name != "early")

    def utilisation(self, sender: str) -> float | None:
        """Share of the time in which this direction carried bits."""
        if not self.baud or not self.span_s:
            return None
        return self.sides[sender].bytes * BITS_PER_BYTE / self.baud / self.span_s

    def _new_session(self, sender: str) -> None:
        if sender == HOST:
            self.sessions += 1
            self._stamps.clear()
        self.sides[sender].under_way.clear()

    def _frame(self, record: FrameRecord) -> None:
        side = self.sides[record.sender]
        side.frames += 1
        side.bytes += len(record.raw)
        kind = side.kinds.setdefault(record.name, Kind())
        kind.count += 1
        kind.bytes += len(record.raw)
        for mark in record.marks:
            side.errors[mark] += 1
        if "stray" in record.marks or "replay" in record.marks:
            return
        if record.name in _CYCLIC:
            if kind.last_at is not None:
                kind.every.add(record.at_s - kind.last_at)
            kind.last_at = record.at_s
        if record.kind == "handshake":
            return
        if record.kind == "reliable":
            self._sent(side, record)
        self._acknowledged(self.sides[other(record.sender)], record)
        if record.message is not None:
            self._stamp(record.message, record.at_s)

    @staticmethod
    def _sent(side: Side, record: FrameRecord) -> None:
        if "repeat" in record.marks:
            side.under_way.pop(record.number, None)  # which sending an ack answers is not known any more
        else:
            side.under_way[record.number] = record.at_s
            while len(side.under_way) > 2 * arq.WINDOW:
                del side.under_way[next(iter(side.under_way))]

    @staticmethod
    def _acknowledged(side: Side, record: FrameRecord) -> None:
        for number in list(side.under_way):
            if 0 < (record.ack - number) & 0xFF <= 2 * arq.WINDOW:
                side.until_ack.add(record.at_s - side.under_way.pop(number))

    def _stamp(self, message: tuple[Any, ...], at_s: float) -> None:
        if message[0] == catalogue.GRANT:
            self._stamps[message[1]] = at_s
            while len(self._stamps) > _STAMPS_KEPT:
                del self._stamps[next(iter(self._stamps))]
        elif message[0] == catalogue.STATUS:
            ticks_us, stamp, grant_ticks_us = message[1:4]
            self.drift.status(ticks_us, at_s)
            sent_at = self._stamps.pop(stamp, None)
            if sent_at is not None:
                held_s = ((ticks_us - grant_ticks_us) % TICKS_PERIOD) / 1e6
                trip_s = at_s - sent_at
                self.stamp_trip.add(trip_s)
                if 0 <= held_s <= trip_s:
                    self.on_wires.add(trip_s - held_s)

    # ---- for people and programs ----

    def as_json(self) -> dict[str, Any]:
        """All figures in plain values; times in ms where the name says so."""
        return {
            "span_s": round(self.span_s, 6),
            "sessions": self.sessions,
            "baud": self.baud or None,
            "sides": {sender: self._side_json(sender) for sender in SENDERS},
            "grant_to_status_ms": self.stamp_trip.milliseconds(),
            "on_wires_ms": self.on_wires.milliseconds(),
            "mcu_clock_fast_ppm": _rounded(self.drift.ppm, 1),
            "mcu_clock_span_s": round(self.drift.span_s, 1),
        }

    def _side_json(self, sender: str) -> dict[str, Any]:
        side = self.sides[sender]
        return {
            "frames": side.frames,
            "bytes": side.bytes,
            "utilisation": _rounded(self.utilisation(sender), 5),
            "errors": dict(sorted(side.errors.items())),
            "missing": side.missing,
            "until_ack_ms": side.until_ack.milliseconds(),
            "messages": {name: self._kind_json(kind) for name, kind in sorted(side.kinds.items())},
        }

    def _kind_json(self, kind: Kind) -> dict[str, Any]:
        rate = kind.count / self.span_s if self.span_s else None
        found: dict[str, Any] = {"count": kind.count, "bytes": kind.bytes, "per_s": _rounded(rate, 3)}
        if kind.every:
            found["every_ms"] = kind.every.milliseconds()
        return found

    def table(self) -> str:
        """The figures as text."""
        lines = [f"{self.span_s:.3f} s, {self.sessions} session{'s' * (self.sessions != 1)} seen to begin"]
        for sender in SENDERS:
            lines += self._side_lines(sender)
        lines += _series_line("GRANT to STATUS with its stamp", self.stamp_trip)
        lines += _series_line("  of that on the wires", self.on_wires)
        if self.drift.ppm is not None:
            word = "fast" if self.drift.ppm >= 0 else "slow"
            lines.append(
                f"MCU clock {abs(self.drift.ppm):.1f} ppm {word} against the observer's, "
                f"over {self.drift.span_s:.0f} s"
            )
        return "\n".join(lines)

    def _side_lines(self, sender: str) -> list[str]:
        side = self.sides[sender]
        used = self.utilisation(sender)
        share = "" if used is None else f", {used * 100:.2f} % of {self.baud} Bd"
        lines = [f"from {sender}: {side.frames} frames, {side.bytes} bytes{share}"]
        width = max((len(name) for name in side.kinds), default=0)
        for name, kind in sorted(side.kinds.items(), key=lambda item: -item[1].count):
            rate = f"{kind.count / self.span_s:8.2f} /s" if self.span_s else ""
            every = kind.every
            pace = (
                f"  every {every.mean * 1000:.2f} ms, jitter {every.deviation * 1000:.2f}, "
                f"worst {every.max * 1000:.2f}"
                if every
                else ""
            )
            lines.append(f"  {name:<{width}} {kind.count:>8} {rate}{pace}")
        trouble = [f"{name} {count}" for name, count in sorted(side.errors.items())]
        trouble += [f"missing {side.missing}"] if side.missing else []
        lines.append("  errors: " + (", ".join(trouble) or "none"))
        return lines + _series_line("  acknowledged after", side.until_ack)


def _series_line(what: str, series: Series) -> list[str]:
    if not series:
        return []
    return [
        f"{what}: p50 {series.percentile(50) * 1000:.2f} ms, p99 {series.percentile(99) * 1000:.2f}, "
        f"worst {series.max * 1000:.2f} ({series.count})"
    ]


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


__all__ = ["DEFAULT_BAUD", "HOST", "MCU", "Statistics"]
