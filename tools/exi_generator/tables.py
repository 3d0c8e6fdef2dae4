"""Writes the EXI tables of one schema set as a Python module."""

from __future__ import annotations

from .classes import header
from .model import Branch, Item, Message, Model, high_of
from .names import class_name, field_name
from .schema import Complex, Name, Simple

# Bounds beyond this are written as powers of two.
_WIDE = 1 << 64
# Signed elements whose type several elements share: this one is meant when a fragment is encoded.

_SIGNED = {"CertificateChainType": "ContractSignatureCertChain"}


class TableWriter:
    """Collects the simple types while it writes the complex ones."""

    def __init__(self, model: Model, module: str) -> None:
        self._model = model
        self._module = module
        self._simple: dict[str, str] = {}

    def module_text(self, title: str, roots: list[Name]) -> str:
        """Source of the module."""
        types = [self._complex(message) for message in self._model.messages.values()]
        names = sorted(self._model.schema.elements, key=lambda name: name.key)
        documents = [(names.index(n), n.local, self._type_of(n)) for n in roots if self._module != "xmldsig"]
        text = header(title)
        text += f"from vsecc_host.v2g.exi import {self._module} as m\n"
        text += "from vsecc_host.v2g.exi.grammar import Branch, Complex, Grammar, Item, Root, Simple\n\n"
        text += "".join(f"{name} = {source}\n" for source, name in self._simple.items())
        text += "\nTYPES = (\n" + "".join(types) + ")\n"
        text += "\nGRAMMAR = Grammar(\n"
        text += self._roots_text("roots", documents) + f"    root_count={len(names)},\n"
        text += self._roots_text("fragments", self._fragments())
        text += f"    fragment_count={len(self._model.schema.element_names())},\n"
        return text + "    types={kind.name: kind for kind in TYPES},\n)\n"

    @staticmethod
    def _roots_text(name: str, roots: list[tuple[int, str, str]]) -> str:
        if not roots:
            return f"    {name}=(),\n"
        lines = "".join(f'        Root({code}, "{local}", "{kind}"),\n' for code, local, kind in roots)
        return f"    {name}=(\n{lines}    ),\n"

    def _type_of(self, root: Name) -> str:
        kind = self._model.schema.elements[root].type
        assert isinstance(kind, Complex)
        return kind.name.local

    def _fragments(self) -> list[tuple[int, str, str]]:
        """Elements that are signed: those of a type with an Id, when their name has only one type."""
        used: dict[str, set[str]] = {}
        for message in self._model.messages.values():
            for branch in (b for item in message.items for b in item.branches if b.type):
                kind = branch.type
                assert kind
                local = kind.name.local if isinstance(kind, Complex) else "simple"
                signed = isinstance(kind, Complex) and any(a[0] == "Id" for a in kind.attributes)
                used.setdefault(branch.element, set()).add(local if signed else "")
        names = [name.local for name in self._model.schema.element_names()]
        chosen = [(names.index(e), e, kinds.pop()) for e, kinds in used.items() if len(kinds) == 1]
        return sorted(f for f in chosen if f[2] and _SIGNED.get(f[2], f[1]) == f[1])

    def _complex(self, message: Message) -> str:
        kind = message.type
        cls = "None" if message.transparent else f"m.{message.class_name}"
        order = {field.name: index for index, field in enumerate(message.fields)}
        items = []
        for name, simple, required in kind.attributes:
            branch = self._branch_text(f"@{name}", order[field_name(name)], simple)
            items.append(f"            Item({int(required)}, 1, ({branch},)),\n")
        if kind.value:
            items.append(
                f"            Item(1, 1, ({self._branch_text('value', order['value'], kind.value)},)),\n"
            )
        items += [self._item(item, order) for item in message.items]
        mixed = "        mixed=True,\n" if kind.mixed else ""
        lines = f"        (\n{''.join(items)}        ),\n" if items else "        (),\n"
        return f'    Complex(\n        "{kind.name.local}",\n        {cls},\n{lines}{mixed}    ),\n'

    def _item(self, item: Item, order: dict[str, int]) -> str:
        branches = [self._branch(branch, order) for branch in item.branches]
        text = f"            Item({item.low}, {high_of(item)}, ({', '.join(branches)},)),\n"
        if len(text) <= 111:
            return text
        lines = "".join(f"                    {branch},\n" for branch in branches)
        head = f"            Item(\n                {item.low},\n                {high_of(item)},\n"
        return f"{head}                (\n{lines}                ),\n            ),\n"

    def _branch(self, branch: Branch, order: dict[str, int]) -> str:
        if branch.type is None or branch.field is None:
            return f'Branch("{branch.element}")'
        return self._branch_text(branch.element, order[branch.field], branch.type)

    def _branch_text(self, name: str, field: int, kind: Simple | Complex) -> str:
        text = f'"{kind.name.local}"' if isinstance(kind, Complex) else self._simple_name(kind)
        return f'Branch("{name}", {field}, {text})'

    def _simple_name(self, kind: Simple) -> str:
        if kind.kind == "enum":
            name = class_name(kind.name)
            texts = "".join(f'        "{text}",\n' for text in kind.texts)
            source = f'Simple(\n    "enum",\n    0,\n    {kind.high},\n    m.{name},\n    (\n{texts}    ),\n)'
            return self._simple.setdefault(source, f"ENUM_{name.upper()}")
        low = str(kind.low) if kind.low > -_WIDE else f"-(1 << {(-kind.low).bit_length() - 1})"
        high = str(kind.high) if kind.high < _WIDE else f"(1 << {kind.high.bit_length()}) - 1"
        source = f'Simple("{kind.kind}", {low}, {high})'
        return self._simple.setdefault(source, f"{kind.kind.upper()}_{len(self._simple)}")
