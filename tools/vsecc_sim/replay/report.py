"""Result of a replay: one row per run of equal requests, and the differences that matter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(slots=True)
class Row:
    """Consecutive requests of one kind; times in seconds."""

    message: str
    sent: int = 0
    skipped: int = 0
    repeated: int = 0
    recorded: list[str] = field(default_factory=list)  # response codes in order of appearance
    answered: list[str] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Explain, once per text."""
        if text not in self.notes:
            self.notes.append(text)

    def differ(self, text: str) -> None:
        """A difference that matters, once per text."""
        if text not in self.differences:
            self.differences.append(text)

    def as_json(self) -> dict[str, Any]:
        """For --json; milliseconds."""
        return {
            "message": self.message,
            "sent": self.sent,
            "skipped": self.skipped,
            "repeated": self.repeated,
            "recorded": self.recorded,
            "answered": self.answered,
            "median_ms": round(median(self.times_s) * 1000, 3) if self.times_s else None,
            "max_ms": round(max(self.times_s) * 1000, 3) if self.times_s else None,
            "notes": self.notes,
            "differences": self.differences,
        }


@dataclass(slots=True)
class ReplayReport:
    """All rows of all sessions."""

    capture: str
    ev: str
    evse: str
    sessions: list[list[Row]] = field(default_factory=list)

    @property
    def differences(self) -> list[str]:
        """What matters, in words; empty when the station behaved."""
        return [f"{row.message}: {text}" for row in self._rows() for text in row.differences]

    @property
    def answers(self) -> int:
        """Answers that came."""
        return sum(len(row.times_s) for row in self._rows())

    def _rows(self) -> Iterator[Row]:
        for session in self.sessions:
            yield from session

    def as_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "capture": self.capture,
            "ev": self.ev,
            "evse": self.evse,
            "answers": self.answers,
            "differences": self.differences,
            "sessions": [[row.as_json() for row in rows] for rows in self.sessions],
        }

    def table(self) -> str:
        """For a person."""
        lines = [f"{self.capture}: {self.ev}; recorded at {self.evse}"]
        for number, rows in enumerate(self.sessions, 1):
            lines.append(f"session {number}")
            lines.append(
                f"  {'request':29}{'sent':>6}  {'recorded':26}{'answered':26}{'median':>9}{'max':>9}"
            )
            for row in rows:
                lines += _row_lines(row)
        found = self.differences
        lines.append(f"{self.answers} answers, {len(found)} differences that matter")
        return "\n".join(lines)


def _row_lines(row: Row) -> list[str]:
    times = (
        [f"{value * 1000:.1f} ms" for value in (median(row.times_s), max(row.times_s))]
        if row.times_s
        else ["-", "-"]
    )
    recorded = ", ".join(row.recorded) or "no answer"
    answered = ", ".join(row.answered) or "no answer"
    lines = [f"  {row.message:29}{row.sent:>6}  {recorded:26}{answered:26}{times[0]:>9}{times[1]:>9}"]
    lines += [f"    note: {text}" for text in row.notes]
    lines += [f"    DIFFERENCE: {text}" for text in row.differences]
    return lines
