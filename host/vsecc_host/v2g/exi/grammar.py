"""Shape of the generated tables, and the event codes that follow from it (EXI 1.0, 8.5 and 9)."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

# EXI 1.0, 7.1.5: integers with at most so many values are written as bits, others as groups of seven.
_MOST_BOUNDED = 4096
REFUSED = -1


class Simple(NamedTuple):
    """A simple type: kind is bool, int, enum, text, hex or base64; bounds are of value or length."""

    kind: str
    low: int
    high: int
    enum: type[IntEnum] | None = None
    texts: tuple[str, ...] = ()

    @property
    def is_fixed(self) -> bool:
        """Whether every value has the same width."""
        bounded = self.kind == "int" and self.high - self.low < _MOST_BOUNDED
        return bounded or self.kind in ("bool", "enum")

    @property
    def width(self) -> int:
        """Bits of a value of fixed width."""
        return (self.high - self.low).bit_length()


class Branch(NamedTuple):
    """An element, attribute ("@Id") or text ("value") that may stand at an item.

    field: position in the class, REFUSED for what keeps an event code but is never used;
    type: a Simple or the name of a complex type.
    """

    name: str
    field: int = REFUSED
    type: Simple | str = ""


class Item(NamedTuple):
    """Between low and high (0: unbounded) times one of the branches."""

    low: int
    high: int
    branches: tuple[Branch, ...]


class Complex(NamedTuple):
    """A complex type: attributes, text and elements as items in EXI order; cls None: stands for field 0."""

    name: str
    cls: type[tuple[object, ...]] | None
    items: tuple[Item, ...]
    mixed: bool = False

    @property
    def fields(self) -> int:
        """Number of fields of the class."""
        return 1 + max((b.field for item in self.items for b in item.branches), default=REFUSED)

    @property
    def end_code(self) -> int:
        """Number of the end of the element, counted as in first_code."""
        return self.first_code(len(self.items))

    def first_code(self, index: int) -> int:
        """Number of the first production of that item when all productions of the type are counted."""
        return sum(len(item.branches) for item in self.items[:index])

    def last_code(self, index: int, again: bool = False) -> int:
        """Number of the last production that may be used in a state that waits for that item.

        The state's productions are numbered from first_code(index) on. again: the item has been there
        already, so it is optional now.
        """
        for position in range(index, len(self.items)):
            if self.items[position].low and not (again and position == index):
                return self.first_code(position + 1) - 1
        return self.end_code

    def codes(self, index: int, again: bool = False) -> int:
        """How many productions a state has: those up to last_code, and untyped text in mixed types."""
        last = self.last_code(index, again)
        count = last - self.first_code(index) + 1
        for item in self.items[index:]:
            if item.low and item.branches[0].name[0] == "@":
                return count
        return count + 1 if self.mixed else count


class State(NamedTuple):
    """Waiting for an item, given by its number; again: it has been there, so it is optional now."""

    item: int
    again: bool = False


class Root(NamedTuple):
    """An element that may be a document or a fragment: its event code, name and complex type."""

    code: int
    name: str
    type: str


class Grammar(NamedTuple):
    """Everything about one schema set; roots and fragments with the number of all elements there."""

    roots: tuple[Root, ...]
    root_count: int
    fragments: tuple[Root, ...]
    fragment_count: int
    types: dict[str, Complex]
