"""Reads XSD files into a small model: elements, complex types, simple types, content particles."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lxml import etree  # type: ignore[import-untyped]

_XS = "{http://www.w3.org/2001/XMLSchema}"
UNBOUNDED = 1_000_000

# Bounds and base coding of the built-in types that the V2G schemas use (XML Schema part 2).
_INTEGERS = {
    "byte": (-128, 127),
    "unsignedByte": (0, 255),
    "short": (-(2**15), 2**15 - 1),
    "unsignedShort": (0, 2**16 - 1),
    "int": (-(2**31), 2**31 - 1),
    "unsignedInt": (0, 2**32 - 1),
    "long": (-(2**63), 2**63 - 1),
    "unsignedLong": (0, 2**64 - 1),
    # Without bounds in the schema. 20 bytes is what RFC 5280 allows for a certificate's serial number.
    "integer": (-(2**160), 2**160 - 1),
}
_TEXT = ("string", "anyURI", "ID", "IDREF")
_LONGEST = 0xFFFF


@dataclass(frozen=True)
class Name:
    """A qualified name; ordered as EXI orders names: local name first."""

    local: str
    uri: str

    @property
    def key(self) -> tuple[str, str]:
        return (self.local, self.uri)


@dataclass(frozen=True)
class Simple:
    """A simple type: kind is bool, int, text, hex, base64 or enum; bounds are values or lengths."""

    kind: str
    low: int = 0
    high: int = 0
    name: str = ""
    texts: tuple[str, ...] = ()


@dataclass
class Particle:
    """kind: element, ref, any, sequence or choice."""

    kind: str
    low: int
    high: int
    name: Name | None = None
    type: object = None
    children: list[Particle] = field(default_factory=list)


@dataclass
class Complex:
    """A complex type; base content is already in front of its own."""

    name: Name
    content: list[Particle]
    attributes: list[tuple[str, Simple, bool]]
    mixed: bool = False
    abstract: bool = False
    value: Simple | None = None


@dataclass
class Element:
    """A global element."""

    name: Name
    type: Simple | Complex
    head: Name | None


class Schema:
    """All files of one schema set, from its root file on along the imports."""

    def __init__(self, root: Path) -> None:
        self._nodes: dict[tuple[str, Name], etree._Element] = {}
        self._types: dict[Name, Simple | Complex] = {}
        self._local_elements: set[Name] = set()
        self._read(root, set())
        self.elements: dict[Name, Element] = {}
        for (kind, name), node in self._nodes.items():
            if kind == "element":
                head = node.get("substitutionGroup")
                self.elements[name] = Element(
                    name, self._element_type(node, name), self._name(node, head) if head else None
                )

    def _read(self, path: Path, seen: set[Path]) -> None:
        if path in seen:
            return
        seen.add(path)
        root = etree.parse(str(path)).getroot()
        target = root.get("targetNamespace")
        for node in root:
            if node.tag == _XS + "import":
                self._read(path.parent / node.get("schemaLocation"), seen)
            elif isinstance(node.tag, str) and node.get("name"):
                kind = etree.QName(node).localname
                key = "element" if kind == "element" else "type"
                self._nodes[key, Name(node.get("name"), target)] = node
        qualified = root.get("elementFormDefault") == "qualified"
        for node in root.iter(_XS + "element"):
            if node.get("name") and node.getparent() is not root:
                self._local_elements.add(Name(node.get("name"), target if qualified else ""))

    def element_names(self) -> list[Name]:
        """All distinct element names, global and local, in EXI order (fragment grammar)."""
        return sorted(self._local_elements | set(self.elements), key=lambda name: name.key)

    def type_names(self) -> list[Name]:
        """Names of all named types."""
        return [name for kind, name in self._nodes if kind == "type"]

    def group(self, head: Name) -> list[Element]:
        """Members of a substitution group with its head, and members of their groups, in EXI order."""
        names = {head}
        while more := {e.name for e in self.elements.values() if e.head in names} - names:
            names |= more
        members = [self.elements[name] for name in names if name in self.elements]
        return sorted(members, key=lambda element: element.name.key)

    @staticmethod
    def _name(node: etree._Element, text: str) -> Name:
        prefix, _, local = text.rpartition(":")
        return Name(local, node.nsmap.get(prefix or None, ""))

    def _element_type(self, node: etree._Element, name: Name) -> Simple | Complex:
        if node.get("type"):
            return self.type(self._name(node, node.get("type")))
        if node.find(_XS + "simpleType") is not None:
            return self._simple(node.find(_XS + "simpleType"), name)
        return self._complex(node.find(_XS + "complexType"), name)

    def type(self, name: Name) -> Simple | Complex:
        """The type of that name; types are read once."""
        if name.uri == _XS[1:-1]:
            return _built_in(name.local)
        if name not in self._types:
            node = self._nodes["type", name]
            read = self._complex if node.tag == _XS + "complexType" else self._simple
            self._types[name] = read(node, name)
        return self._types[name]

    def _simple(self, node: etree._Element, name: Name) -> Simple:
        restriction = node.find(_XS + "restriction")
        base = self.type(self._name(restriction, restriction.get("base")))
        assert isinstance(base, Simple)
        texts = tuple(n.get("value") for n in restriction.findall(_XS + "enumeration"))
        if texts:
            return Simple("enum", 0, len(texts) - 1, name.local, texts)
        low, high = base.low, base.high
        for facet in restriction:
            kind = etree.QName(facet).localname
            if kind in ("minInclusive", "minLength", "length"):
                low = int(facet.get("value"))
            if kind in ("maxInclusive", "maxLength", "length"):
                high = int(facet.get("value"))
        return Simple(base.kind, low, high, name.local)

    def _complex(self, node: etree._Element, name: Name) -> Complex:
        flags = {"mixed": node.get("mixed") == "true", "abstract": node.get("abstract") == "true"}
        result = Complex(name, [], [], **flags)
        self._types.setdefault(name, result)
        body = node
        simple = node.find(_XS + "simpleContent")
        extended = node.find(_XS + "complexContent")
        if simple is not None:
            body = simple[0]
            value = self.type(self._name(body, body.get("base")))
            assert isinstance(value, Simple)
            result.value = value
        elif extended is not None:
            body = extended.find(_XS + "extension")
            base = self.type(self._name(body, body.get("base")))
            assert isinstance(base, Complex)
            result.content += base.content
            result.attributes += base.attributes
        for child in body:
            if child.tag in (_XS + "sequence", _XS + "choice"):
                result.content.append(self._particle(child))
            elif child.tag == _XS + "attribute":
                kind = self.type(self._name(child, child.get("type")))
                assert isinstance(kind, Simple)
                result.attributes.append((child.get("name"), kind, child.get("use") == "required"))
        result.attributes.sort(key=lambda attribute: attribute[0])
        return result

    def _particle(self, node: etree._Element) -> Particle:
        kind = etree.QName(node).localname
        most = node.get("maxOccurs", "1")
        particle = Particle(
            kind, int(node.get("minOccurs", "1")), UNBOUNDED if most == "unbounded" else int(most)
        )
        if kind == "element" and node.get("ref"):
            particle.kind, particle.name = "ref", self._name(node, node.get("ref"))
        elif kind == "element":
            root = node.getroottree().getroot()
            qualified = root.get("elementFormDefault") == "qualified"
            particle.name = Name(node.get("name"), root.get("targetNamespace") if qualified else "")
            particle.type = self._element_type(node, particle.name)
        elif kind in ("sequence", "choice"):
            particle.children = [self._particle(n) for n in node if isinstance(n.tag, str)]
        return particle


def _built_in(name: str) -> Simple:
    if name == "boolean":
        return Simple("bool", 0, 1)
    if name in _INTEGERS:
        return Simple("int", *_INTEGERS[name])
    if name in _TEXT:
        return Simple("text", 0, _LONGEST)
    if name in ("hexBinary", "base64Binary"):
        return Simple(name.removesuffix("Binary"), 0, _LONGEST)
    raise ValueError(f"built-in type {name} is not used by any V2G schema")
