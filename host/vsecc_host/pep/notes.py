"""What a person should read in the log: one line per kind of oddity and second, the rest counted."""

from __future__ import annotations

from typing import NamedTuple

from vsecc_host.pep.codec import shown

QUIET_S = 1.0
MAX_KINDS = 64


class Note(NamedTuple):
    """A line for the log; `wrong`: somebody should look at it."""

    text: str
    wrong: bool


class Notes:
    """`add` from the machine, `take` from the shell."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._next_at: dict[str, float] = {}
        self._lines: list[Note] = []

    def add(self, what: str, detail: str, now: float, *, wrong: bool = True) -> None:
        """Note something; `what` is one of a few fixed texts."""
        if what not in self.counts and len(self.counts) >= MAX_KINDS:
            return
        self.counts[what] = self.counts.get(what, 0) + 1
        if now >= self._next_at.get(what, now):
            self._next_at[what] = now + QUIET_S
            text = f"{what}: {shown(detail, quoted=False)} (so far {self.counts[what]})"
            self._lines.append(Note(text, wrong))

    def take(self) -> list[Note]:
        """Lines since the last call."""
        lines, self._lines = self._lines, []
        return lines
