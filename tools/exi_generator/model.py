"""From schema types to what Python sees: items in schema order and fields, the required ones first."""

from __future__ import annotations

from dataclasses import dataclass, field

from .names import choice_field_name, class_name, field_name
from .schema import UNBOUNDED, Complex, Name, Particle, Schema, Simple

# Content that the V2G standards forbid: it keeps its event code, its content is refused.
_NEVER = {"PGPData", "DSAKeyValue", "SPKIData"}
# Types of one group that add nothing: the field above holds the member itself.
_TRANSPARENT = {"BodyType"}


@dataclass(frozen=True)
class Branch:
    """One element that may stand at an item; type None: has an event code but is refused."""

    element: str
    type: Simple | Complex | None
    field: str | None


@dataclass(frozen=True)
class Item:
    """Between low and high times one of the branches."""

    low: int
    high: int
    branches: tuple[Branch, ...]


@dataclass
class Field:
    """A field of a message class."""

    name: str
    types: list[Simple | Complex]
    required: bool
    many: bool


@dataclass
class Message:
    """A complex type as Python sees it."""

    type: Complex
    class_name: str
    items: list[Item]
    fields: list[Field] = field(default_factory=list)
    transparent: bool = False


class Model:
    """All complex types that the given root elements reach."""

    def __init__(self, schema: Schema, roots: list[Name]) -> None:
        self.schema = schema
        self.messages: dict[Name, Message] = {}
        self.enums: dict[str, Simple] = {}
        self._class_names = self._name_classes()
        for root in roots:
            self._add(schema.elements[root].type)

    def _name_classes(self) -> dict[Name, str]:
        used: dict[Name, list[str]] = {}
        for element in self.schema.elements.values():
            if isinstance(element.type, Complex):
                used.setdefault(element.type.name, []).append(element.name.local)
        return {name: class_name(elements[0]) for name, elements in used.items() if len(elements) == 1}

    def class_of(self, kind: Complex) -> str:
        """Class name: of the only global element of the type, otherwise of the type."""
        return self._class_names.get(kind.name) or class_name(kind.name.local)

    def _add(self, kind: Simple | Complex | None) -> None:
        if isinstance(kind, Simple):
            if kind.kind == "enum":
                self.enums[class_name(kind.name)] = kind
            return
        if kind is None or kind.name in self.messages:
            return
        message = Message(kind, self.class_of(kind), [])
        message.transparent = kind.name.local in _TRANSPARENT
        for particle in kind.content:
            message.items += self._items(particle, particle.low, particle.high)
        self._collect_fields(message)
        # Inner types first, so that the module reads bottom up. No V2G type contains itself.
        for entry in message.fields:
            for inner in entry.types:
                self._add(inner)
        self.messages[kind.name] = message

    def _items(self, particle: Particle, low: int, high: int) -> list[Item]:
        """The items of a particle; a repeated sequence is only allowed around a single item."""
        if particle.kind in ("element", "ref", "any"):
            return [Item(low, high, self._branches(particle))]
        inner = [
            item
            for child in particle.children
            for item in self._items(child, min(low, child.low), max(high, child.high))
        ]
        if particle.kind == "sequence":
            return inner
        branches = tuple(branch for item in inner for branch in item.branches)
        # Elements come before wildcards in every state of the grammar.
        branches = tuple(sorted(branches, key=lambda branch: branch.element == "*"))
        return [Item(min(low, *(i.low for i in inner)), high, self._share(branches, high))]

    def _branches(self, particle: Particle) -> tuple[Branch, ...]:
        if particle.kind == "any":
            return (Branch("*", None, None),)
        assert particle.name
        if particle.kind == "element":
            kind = particle.type
            assert isinstance(kind, Simple | Complex)
            return (self._branch(particle.name, kind, particle.name),)
        members = self.schema.group(particle.name)
        if not members:
            raise ValueError(f"unknown element {particle.name}")
        return tuple(self._branch(m.name, m.type, particle.name) for m in members)

    @staticmethod
    def _branch(element: Name, kind: Simple | Complex, head: Name) -> Branch:
        refused = element.local in _NEVER or (isinstance(kind, Complex) and kind.abstract)
        if refused:
            return Branch(element.local, None, None)
        return Branch(element.local, kind, field_name(head.local))

    @staticmethod
    def _share(branches: tuple[Branch, ...], high: int) -> tuple[Branch, ...]:
        """One field for all branches when the class of the value tells which it is."""
        types = [branch.type for branch in branches]
        complex_only = all(isinstance(kind, Complex) for kind in types)
        if not complex_only or len({id(kind) for kind in types}) < len(types) or high > 1:
            return branches
        name = choice_field_name(tuple(branch.element for branch in branches))
        return tuple(Branch(b.element, b.type, name) for b in branches)

    @staticmethod
    def _collect_fields(message: Message) -> None:
        fields: dict[str, Field] = {}
        for name, kind, required in message.type.attributes:
            fields[field_name(name)] = Field(field_name(name), [kind], required, False)
        if message.type.value:
            fields["value"] = Field("value", [message.type.value], True, False)
        for item in message.items:
            names = {branch.field for branch in item.branches if branch.field}
            for branch in item.branches:
                if not (branch.type and branch.field):
                    continue
                required = item.low > 0 and len(names) == 1
                entry = fields.setdefault(branch.field, Field(branch.field, [], required, item.high > 1))
                entry.types.append(branch.type)
        ordered = [f for f in fields.values() if f.required] + [f for f in fields.values() if not f.required]
        message.fields = ordered


def high_of(item: Item) -> int:
    """Highest number of occurrences, 0 for unbounded."""
    return 0 if item.high >= UNBOUNDED else item.high
