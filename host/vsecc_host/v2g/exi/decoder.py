"""The decoder: writes a Python function for each complex type out of its table.

A message is one integer n; pos says how many of its bits are still unread. Neighbours of fixed width (codes,
flags, enumerations, small integers) are read with a single shift and taken apart afterwards, and all codes
that must be 0 are checked with a single mask. A read behind the end makes the shift count negative,
which Python refuses by itself.
"""

from __future__ import annotations

from collections.abc import Callable

from .errors import Refused
from .grammar import REFUSED, Branch, Complex, Item, Simple, State

Decode = Callable[[int, int], tuple[object, int]]
# Bits of n are dropped after so many list entries: shifting stays cheap however long the input is.
_DROP_EVERY = 32


def more(n: int, pos: int, value: int, high: int) -> tuple[int, int]:
    """The rest of an unsigned integer whose first two groups are read already: value and pos."""
    shift = 14
    while True:
        pos -= 8
        octet = n >> pos & 255
        value += (octet & 127) << shift
        shift += 7
        if value > high or shift > high.bit_length() + 14:
            raise Refused(pos + 8, f"integer above {high}")
        if octet < 128:
            return value, pos


def length(n: int, pos: int, first: int, high: int) -> tuple[int, int]:
    """A length of more than one octet, the first one is read already."""
    pos -= 8
    octet = n >> pos & 255
    value = (octet << 7) + first - 128
    if octet > 127:
        return more(n, pos, value - 16384, high)
    return value, pos


def octets(n: int, pos: int, count: int, low: int, high: int) -> tuple[bytes, int]:
    """hexBinary or base64Binary; count is the first octet of the length."""
    if count > 127:
        count, pos = length(n, pos, count, high)
    if not low <= count <= high:
        raise Refused(pos + 8, f"{count} bytes, {low} to {high} are allowed")
    pos -= 8 * count
    return (n >> pos & (1 << 8 * count) - 1).to_bytes(count, "big"), pos


def text(n: int, pos: int, count: int, low: int, high: int) -> tuple[str, int]:
    """A string; count is the first octet of length + 2, where 0 and 1 would be string table hits."""
    if count > 127:
        count, pos = length(n, pos, count, high + 2)
    count -= 2
    if not low <= count <= high:
        what = "string table hit" if count < 0 else f"{count} characters, {low} to {high} are allowed"
        raise Refused(pos + 8, what)
    start = pos
    pos -= 8 * count
    ascii_octets = (n >> pos & (1 << 8 * count) - 1).to_bytes(count, "big")
    if ascii_octets.isascii():
        return ascii_octets.decode("ascii"), pos
    return _code_points(n, start, count)


def _code_points(n: int, pos: int, count: int) -> tuple[str, int]:
    characters = []
    for _ in range(count):
        pos -= 8
        point = n >> pos & 255
        if point > 127:
            point, pos = length(n, pos, point, 0x10FFFF)
        if 0xD800 <= point < 0xE000 or point > 0x10FFFF:
            raise Refused(pos + 8, f"no character has the code point {point:#x}")
        characters.append(chr(point))
    return "".join(characters), pos


HELPERS: dict[str, object] = {
    "Refused": Refused,
    "more": more,
    "octets": octets,
    "text": text,
    "new": tuple.__new__,
}


class DecoderSource:
    """Source of the function that decodes one complex type, and the constants it uses."""

    def __init__(self, kind: Complex) -> None:
        self._kind = kind
        self._lines = [f"def d_{kind.name}(n, pos):"]
        self._depth = 1
        # What is read next with one shift: width, variable ("" for a code that must be 0), type.
        self._run: list[tuple[int, str, Simple | State | None]] = []
        self.constants: dict[str, object] = {f"C_{kind.name}": kind.cls}
        # Choices by event code: type for every code.
        self.tables: dict[str, dict[int, str]] = {}

    def text(self) -> str:
        """The whole function."""
        kind = self._kind
        many = {b.field for item in kind.items if item.high != 1 for b in item.branches} - {REFUSED}
        optional = {b.field for i in kind.items if not i.low or len(i.branches) > 1 for b in i.branches}
        for index in sorted(many):
            self._add(f"f{index} = []")
        if unset := sorted(optional - many - {REFUSED}):
            self._add(" = ".join(f"f{index}" for index in unset) + " = None")
        self._code(State(0))
        for index, item in enumerate(kind.items):
            self._item(index, item)
        self._flush()
        values = [f"tuple(f{i})" if i in many else f"f{i}" for i in range(kind.fields)]
        if kind.cls is None:
            self._add("return f0, pos")
        else:
            self._add(f"return new(C_{kind.name}, ({''.join(value + ', ' for value in values)})), pos")
        return "\n".join(self._lines) + "\n"

    def _add(self, line: str) -> None:
        self._lines.append("    " * self._depth + line)

    def _refused(self, condition: str, left: str, what: str) -> None:
        self._add(f'if {condition}: raise Refused({left}, "{self._kind.name}: {what}")')

    def _item(self, index: int, item: Item) -> None:
        branches = [branch for branch in item.branches if branch.field != REFUSED]
        if not branches:
            return
        first = self._kind.first_code(index)
        if not item.low:
            after = first + len(item.branches)
            self._flush()
            condition = f"k == {first}" if len(item.branches) == 1 else f"{first} <= k < {after}"
            self._add(f"if {condition}:")
            self._depth += 1
        if item.high == 1:
            self._branches(first, item, "f{} = {}")
            self._code(State(index + 1))
        else:
            self._list(index, item)
        if not item.low:
            self._flush()
            self._depth -= 1

    def _list(self, index: int, item: Item) -> None:
        self._flush()
        self._add("while True:")
        self._depth += 1
        self._branches(self._kind.first_code(index), item, "f{}.append({})")
        self._flush()
        entries = f"len(f{item.branches[0].field})"
        if item.high:
            self._add(f"if {entries} == {item.high}:")
            self._depth += 1
            self._code(State(index + 1))
            self._flush()
            self._add("break")
            self._depth -= 1
        self._add(f"if not {entries} % {_DROP_EVERY}: n &= (1 << pos) - 1")
        self._code(State(index, again=True))
        self._add(f"if k >= {self._kind.first_code(index + 1)}: break")
        self._depth -= 1

    def _branches(self, first: int, item: Item, store: str) -> None:
        used = [b for b in item.branches if b.field != REFUSED]
        if len(item.branches) == 1:
            self._value(used[0], store)
        elif len({b.field for b in used}) == 1 and all(isinstance(b.type, str) for b in used):
            # One field, the event code chooses the decoder.
            table = f"D_{self._kind.name}_{first}"
            codes = enumerate(item.branches, first)
            self.tables[table] = {code: str(b.type) for code, b in codes if b.field != REFUSED}
            self._flush()
            self._add(f"x, pos = {table}[k](n, pos)")
            self._add(store.format(used[0].field, "x"))
        else:
            for number, branch in enumerate(item.branches):
                if branch.field != REFUSED:
                    self._flush()
                    self._add(f"{'if' if branch is used[0] else 'elif'} k == {first + number}:")
                    self._depth += 1
                    self._value(branch, store)
                    self._flush()
                    self._depth -= 1

    def _value(self, branch: Branch, store: str) -> None:
        kind = branch.type
        plain = store == "f{} = {}"
        variable = f"f{branch.field}" if plain else "x"
        if isinstance(kind, str):
            self._flush()
            self._add(f"{variable}, pos = d_{kind}(n, pos)")
        else:
            # Text of an element without attributes stands between two codes of its own, both 0.
            is_element = branch.name[0] != "@" and branch.name != "value"
            if is_element:
                self._run.append((1, "", None))
            self._simple(kind, variable)
            if is_element:
                self._run.append((1, "", None))
        if not plain:
            self._flush()
            self._add(store.format(branch.field, variable))

    def _simple(self, kind: Simple, variable: str) -> None:
        if kind.is_fixed:
            self._run.append((kind.width, variable, kind))
            return
        if kind.kind == "int" and kind.low < 0:
            self._run.append((1, "sign", None))
        self._run.append((8, variable, None))
        self._flush()
        if kind.kind == "text":
            self._add(f"{variable}, pos = text(n, pos, {variable}, {kind.low}, {kind.high})")
        elif kind.kind in ("hex", "base64"):
            self._add(f"{variable}, pos = octets(n, pos, {variable}, {kind.low}, {kind.high})")
        else:
            self._groups(kind, variable)

    def _groups(self, kind: Simple, variable: str) -> None:
        """An integer in groups of seven bits, the first of which is read already."""
        self._add(f"if {variable} > 127:")
        self._depth += 1
        self._add("pos -= 8")
        self._add("h = n >> pos & 255")
        self._add(f"{variable} += (h << 7) - 128")
        self._add(f"if h > 127: {variable}, pos = more(n, pos, {variable} - 16384, {kind.high})")
        self._depth -= 1
        if kind.low > 0 or kind.high < 16383:
            self._refused(
                f"not {max(kind.low, 0)} <= {variable} <= {kind.high}", "pos + 8", "integer out of range"
            )
        if kind.low < 0:
            self._add(f"if sign: {variable} = ~{variable}")

    def _code(self, state: State) -> None:
        """The event code of a state; into k unless it can only be 0."""
        count = self._kind.codes(*state)
        if count == 1:
            self._run.append((1, "", None))
        else:
            self._run.append((count.bit_length(), "k", state))
            self._flush()

    def _flush(self) -> None:
        """Reads what has been collected."""
        run, self._run = self._run, []
        total = sum(width for width, _, _ in run)
        if not total and not run:
            return
        self._add(f"pos -= {total}")
        whole = f"n >> pos & {(1 << total) - 1:#x}"
        if len(run) == 1 and run[0][1]:
            self._take(whole, run[0], 0)
            return
        zeros, shift = 0, total
        for width, variable, _ in run:
            shift -= width
            zeros |= 0 if variable else ((1 << width) - 1) << shift
        if not any(variable for _, variable, _ in run):
            self._refused(whole, f"pos + ({whole}).bit_length()", "undeclared event")
            return
        self._add(f"w = {whole}")
        if zeros:
            self._refused(f"w & {zeros:#x}", f"pos + (w & {zeros:#x}).bit_length()", "undeclared event")
        shift = total
        for entry in run:
            shift -= entry[0]
            if entry[1]:
                mask = f" & {(1 << entry[0]) - 1:#x}" if shift + entry[0] < total else ""
                self._take(f"w >> {shift}{mask}" if shift else f"w{mask}", entry, shift)

    def _take(self, bits: str, entry: tuple[int, str, Simple | State | None], shift: int) -> None:
        """Stores one part of what has been read, checked and converted."""
        width, variable, kind = entry
        left = f"pos + {shift + width}"
        if isinstance(kind, State):
            self._take_code(bits, kind, left)
        elif kind is None:
            self._add(f"{variable} = {bits}")
        elif kind.kind == "bool":
            self._add(f"{variable} = {bits} != 0" if " & " in bits else f"{variable} = ({bits}) != 0")
        elif kind.kind == "enum":
            assert kind.enum
            name = f"E_{kind.enum.__name__}"
            self.constants[name] = tuple(kind.enum)
            self._add(f"{variable} = {bits}")
            if kind.high + 1 < 1 << width:
                self._refused(f"{variable} > {kind.high}", left, f"no such {kind.enum.__name__}")
            self._add(f"{variable} = {name}[{variable}]")
        else:
            self._add(f"{variable} = ({bits}) + {kind.low}" if kind.low else f"{variable} = {bits}")
            if kind.high - kind.low + 1 < 1 << width:
                self._refused(f"{variable} > {kind.high}", left, "integer out of range")

    def _take_code(self, bits: str, state: State, left: str) -> None:
        kind = self._kind
        first = kind.first_code(state.item)
        last = kind.last_code(*state)
        self._add(f"k = ({bits}) + {first}" if first else f"k = {bits}")
        refused = [
            kind.first_code(index) + number
            for index, item in enumerate(kind.items)
            for number, branch in enumerate(item.branches)
            if branch.field == REFUSED
        ]
        conditions = [f"k == {code}" for code in refused if first <= code <= last]
        self._refused(" or ".join([f"k > {last}", *conditions]), left, "event code")
