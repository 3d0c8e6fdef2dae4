"""The encoder: writes a Python function for each complex type out of its table.

A message is one growing integer acc. Its first bit is that of the EXI header, so its bit length is that of
the document. Neighbours of fixed width are put together and appended with one shift. Where optional
elements make the event code depend on what has been written before, b and w hold the first code and
the width of the state.
"""

from __future__ import annotations

from collections.abc import Callable

from .errors import EncodeError
from .grammar import REFUSED, Branch, Complex, Item, Simple, State

Encode = Callable[[int, object], int]


def put_unsigned(acc: int, value: int) -> int:
    """Groups of seven bits, least significant first."""
    while value > 127:
        acc = acc << 8 | value & 127 | 128
        value >>= 7
    return acc << 8 | value


def put_octets(acc: int, value: bytes, low: int, high: int, name: str) -> int:
    """hexBinary or base64Binary."""
    count = len(value)
    if not low <= count <= high:
        raise EncodeError(f"{name}: {count} bytes, {low} to {high} are allowed")
    acc = acc << 8 | count if count < 128 else put_unsigned(acc, count)
    return acc << 8 * count | int.from_bytes(value, "big")


def put_text(acc: int, value: str, low: int, high: int, name: str) -> int:
    """A string, in full: lengths 0 and 1 would be string table hits."""
    count = len(value)
    if not low <= count <= high:
        raise EncodeError(f"{name}: {count} characters, {low} to {high} are allowed")
    acc = put_unsigned(acc, count + 2)
    if value.isascii():
        return acc << 8 * count | int.from_bytes(value.encode("ascii"), "big")
    for character in value:
        point = ord(character)
        if 0xD800 <= point < 0xE000:
            raise EncodeError(f"{name}: lone surrogate {point:#x}")
        acc = put_unsigned(acc, point)
    return acc


HELPERS: dict[str, object] = {
    "EncodeError": EncodeError,
    "put_unsigned": put_unsigned,
    "put_octets": put_octets,
    "put_text": put_text,
}


class EncoderSource:
    """Source of the function that encodes one complex type, and the constants it uses."""

    def __init__(self, kind: Complex) -> None:
        self._kind = kind
        self._lines = [f"def e_{kind.name}(acc, v):"]
        self._depth = 1
        # What is appended next with one shift: width and value (source).
        self._run: list[tuple[int, str]] = []
        # The state the output is in; None: only b and w know.
        self._state: State | None = State(0)
        self._coded = False
        self.constants: dict[str, object] = {f"C_{kind.name}": kind.cls}
        # Choices by class: type for every event code.
        self.tables: dict[str, dict[int, str]] = {}

    def text(self) -> str:
        """The whole function."""
        kind = self._kind
        if kind.cls is None:
            self._add("f0 = v")
        else:
            wrong = f'raise EncodeError(f"{{v!r:.60}} is no {kind.cls.__name__}")'
            self._add(f"if v.__class__ is not C_{kind.name}: {wrong}")
            if kind.fields:
                self._add(", ".join(f"f{index}" for index in range(kind.fields)) + ", = v")
        for index, item in enumerate(kind.items):
            self._item(index, item)
        self._code(kind.end_code)
        self._add(f"return {self._flushed()}")
        return "\n".join(self._lines) + "\n"

    def _add(self, line: str) -> None:
        self._lines.append("    " * self._depth + line)

    def _refused(self, condition: str, what: str) -> None:
        self._add(f'if {condition}: raise EncodeError("{self._kind.name}: {what}")')

    # Event codes

    def _code(self, code: int) -> None:
        """Appends the event code with that number in the current state."""
        if self._coded:
            self._coded = False
        elif self._state is None:
            self._flush()
            self._add(f"acc = acc << w | {code} - b")
        else:
            base, width = self._base(self._state)
            self._run.append((width, str(code - base)))

    def _base(self, state: State) -> tuple[int, int]:
        return self._kind.first_code(state.item), self._kind.codes(*state).bit_length()

    def _hold(self, state: State) -> None:
        """Leaves the state to b and w."""
        self._add("b, w = {}, {}".format(*self._base(state)))

    # Items

    def _item(self, index: int, item: Item) -> None:
        branches = [branch for branch in item.branches if branch.field != REFUSED]
        if not branches:
            return
        if item.high != 1:
            self._list(index, item)
        elif item.low:
            self._once(index, item)
            self._state = State(index + 1)
        else:
            self._optional(index, item)

    def _optional(self, index: int, item: Item) -> None:
        field = next(b.field for b in item.branches if b.field != REFUSED)
        after = State(index + 1)
        # With a single production next, both ways lead to it: write its code here and nothing is left open.
        single = self._state is not None and self._kind.codes(*after) == 1
        self._flush()
        if self._state is not None and not single:
            self._hold(self._state)
        before = self._state
        self._add(f"if f{field} is not None:")
        self._depth += 1
        self._once(index, item)
        self._state = after
        if single:
            self._code(self._kind.first_code(after.item))
        self._flush()
        if not single:
            self._hold(after)
        self._depth -= 1
        self._state = before if single else None
        if single:
            self._add("else:")
            self._depth += 1
            self._code(self._kind.first_code(after.item))
            self._flush()
            self._depth -= 1
            self._coded = True

    def _list(self, index: int, item: Item) -> None:
        fields = [f"f{branch.field}" for branch in item.branches if branch.field != REFUSED]
        if item.low:
            self._refused(f"not ({' or '.join(fields)})", f"{item.branches[0].name} is missing")
        if item.high:
            self._refused(f"len({fields[0]}) > {item.high}", f"more than {item.high} {item.branches[0].name}")
        self._flush()
        if self._coded:
            # The first entry's code has been written already: as if it were written with no bits.
            self._coded = False
            self._add(f"b, w = {self._kind.first_code(index)}, 0")
        elif self._state is not None:
            self._hold(self._state)
        for number, branch in enumerate(item.branches):
            if branch.field == REFUSED:
                continue
            self._state = None
            self._add(f"for x in f{branch.field}:")
            self._depth += 1
            self._code(self._kind.first_code(index) + number)
            self._value(branch, "x")
            self._flush()
            self._hold(State(index, again=True))
            self._depth -= 1
        if item.high:
            self._add(f"if len({fields[0]}) == {item.high}:")
            self._depth += 1
            self._hold(State(index + 1))
            self._depth -= 1
        self._state = None

    def _once(self, index: int, item: Item) -> None:
        """One occurrence with its event code."""
        first = self._kind.first_code(index)
        used = [branch for branch in item.branches if branch.field != REFUSED]
        if len(item.branches) == 1:
            self._code(first)
            self._value(used[0], f"f{used[0].field}")
        elif len({branch.field for branch in used}) == 1 and all(isinstance(b.type, str) for b in used):
            self._chosen_by_class(first, item, used[0].field)
        else:
            self._chosen_by_field(first, item)

    def _chosen_by_class(self, first: int, item: Item, field: int) -> None:
        table = f"E_{self._kind.name}_{first}"
        codes = enumerate(item.branches, first)
        self.tables[table] = {code: str(b.type) for code, b in codes if b.field != REFUSED}
        self._add(f"c, e = {table}[f{field}.__class__]")
        if self._state is None or self._coded:
            self._flush()
            self._add("acc = acc << w | c - b")
        else:
            base, width = self._base(self._state)
            self._run.append((width, f"(c - {base})" if base else "c"))
            self._flush()
        self._add(f"acc = e(acc, f{field})")

    def _chosen_by_field(self, first: int, item: Item) -> None:
        self._flush()
        state = self._state
        keyword = "if"
        for number, branch in enumerate(item.branches):
            if branch.field == REFUSED:
                continue
            self._add(f"{keyword} f{branch.field} is not None:")
            keyword = "elif"
            self._depth += 1
            self._state = state
            self._code(first + number)
            self._value(branch, f"f{branch.field}")
            self._flush()
            self._depth -= 1
        self._add("else:")
        self._lines.append(
            "    " * (self._depth + 1)
            + f'raise EncodeError("{self._kind.name}: one of the choice is missing")'
        )

    # Values

    def _value(self, branch: Branch, source: str) -> None:
        kind = branch.type
        if isinstance(kind, str):
            self._flush()
            self._add(f"acc = e_{kind}(acc, {source})")
            return
        is_element = branch.name[0] != "@" and branch.name != "value"
        if is_element:
            self._run.append((1, "0"))
        self._simple(kind, source, f"{self._kind.name}.{branch.name.lstrip('@')}")
        if is_element:
            self._run.append((1, "0"))

    def _simple(self, kind: Simple, source: str, name: str) -> None:
        if kind.kind == "bool":
            self._run.append((1, f"(1 if {source} else 0)"))
        elif kind.is_fixed:
            self._range(kind, source, name)
            self._run.append((kind.width, f"({source} - {kind.low})" if kind.low else source))
        elif kind.kind == "text":
            self._flush()
            self._add(f'acc = put_text(acc, {source}, {kind.low}, {kind.high}, "{name}")')
        elif kind.kind in ("hex", "base64"):
            self._flush()
            self._add(f'acc = put_octets(acc, {source}, {kind.low}, {kind.high}, "{name}")')
        else:
            self._groups(kind, source, name)

    def _range(self, kind: Simple, source: str, name: str) -> None:
        what = f'f"{name}: {{{source}!r}} is not within {kind.low}..{kind.high}"'
        self._add(f"if not {kind.low} <= {source} <= {kind.high}: raise EncodeError({what})")

    def _groups(self, kind: Simple, source: str, name: str) -> None:
        """An integer in groups of seven bits; one and two groups, the usual case, without a call."""
        self._range(kind, source, name)
        before = list(self._run)
        sign = [(1, "0")] if kind.low < 0 else []
        for keyword, groups in (
            (f"if 0 <= {source} < 128:", [(8, source)]),
            (f"elif 0 <= {source} < 16384:", [(8, f"({source} & 127 | 128)"), (8, f"({source} >> 7)")]),
        ):
            self._add(keyword)
            self._depth += 1
            self._run = before + sign + groups
            self._flush()
            self._depth -= 1
        self._add("else:")
        self._depth += 1
        self._run = before + ([(1, f"(1 if {source} < 0 else 0)")] if kind.low < 0 else [])
        value = f"~{source} if {source} < 0 else {source}" if kind.low < 0 else source
        self._add(f"acc = put_unsigned({self._flushed()}, {value})")
        self._depth -= 1

    def _flush(self) -> None:
        if self._run:
            self._add(f"acc = {self._flushed()}")

    def _flushed(self) -> str:
        """The integer with everything that waits appended, as source."""
        run, self._run = self._run, []
        shift = sum(width for width, _ in run)
        source = f"acc << {shift}" if shift else "acc"
        for width, value in run:
            shift -= width
            if value != "0":
                source += f" | {value} << {shift}" if shift else f" | {value}"
        return source
