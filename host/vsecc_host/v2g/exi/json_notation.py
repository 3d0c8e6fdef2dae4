"""Messages as JSON and back, generic over all protocols.

Attributes and elements of a type share one object under their schema names; the text of an element that also
has attributes is "value"; a list wherever the schema allows several; hexBinary as upper-case hex,
base64Binary as base64, enumerations as their schema text.
"""

from __future__ import annotations

import base64
from typing import Any

from . import Protocol, codec_for
from .errors import EncodeError
from .grammar import REFUSED, Branch, Complex, Grammar, Simple

Json = dict[str, Any]


def to_json(protocol: Protocol, message: object, fragment: bool = False) -> Json:
    """{element name: content} of a decoded message; EncodeError when it is none of the protocol."""
    codec = codec_for(protocol)
    for root in codec.roots(fragment):
        kind = codec.grammar.types[root.type]
        if message.__class__ is kind.cls:
            return {root.name: _object(codec.grammar, kind, message)}
    raise EncodeError(f"{message.__class__.__name__} is no element that can stand alone")


def from_json(protocol: Protocol, document: Json, fragment: bool = False) -> Any:
    """The message class for {element name: content}; EncodeError names what does not fit."""
    codec = codec_for(protocol)
    if not isinstance(document, dict) or len(document) != 1:
        raise EncodeError("expected an object with one element")
    ((name, content),) = document.items()
    for root in codec.roots(fragment):
        if root.name == name:
            return _message(codec.grammar, codec.grammar.types[root.type], content, name)
    raise EncodeError(f"{name} is no element that can stand alone")


def _object(grammar: Grammar, kind: Complex, message: Any) -> Json:
    fields = (message,) if kind.cls is None else message
    result: Json = {}
    for item in kind.items:
        for branch in item.branches:
            if branch.field == REFUSED:
                continue
            content = fields[branch.field]
            if _is_absent(grammar, branch, content):
                continue
            if item.high != 1:
                result[_key(branch)] = [_content(grammar, branch, entry) for entry in content]
            elif _is_of(grammar, branch, content):
                result[_key(branch)] = _content(grammar, branch, content)
    return result


def _is_absent(grammar: Grammar, branch: Branch, content: object) -> bool:
    """An empty body is there although nothing stands for it."""
    if isinstance(branch.type, str) and grammar.types[branch.type].cls is None:
        return False
    return content is None or (content.__class__ is tuple and not content)


def _key(branch: Branch) -> str:
    return branch.name.removeprefix("@")


def _is_of(grammar: Grammar, branch: Branch, content: object) -> bool:
    """Whether the content of a field that several elements share is of this one."""
    if isinstance(branch.type, Simple):
        return True
    cls = grammar.types[branch.type].cls
    return cls is None or content.__class__ is cls


def _content(grammar: Grammar, branch: Branch, value: Any) -> Any:
    kind = branch.type
    if isinstance(kind, str):
        return _object(grammar, grammar.types[kind], value)
    if kind.kind == "enum":
        return kind.texts[value]
    if kind.kind == "hex":
        return value.hex().upper()
    if kind.kind == "base64":
        return base64.b64encode(value).decode("ascii")
    return value


def _message(grammar: Grammar, kind: Complex, content: object, where: str) -> Any:
    if not isinstance(content, dict):
        raise EncodeError(f"{where}: expected an object")
    left = dict(content)
    fields: list[Any] = [None] * kind.fields
    for item in kind.items:
        found = 0
        for branch in item.branches:
            if branch.field == REFUSED:
                continue
            path = f"{where}.{_key(branch)}"
            if item.high != 1:
                entries = left.pop(_key(branch), [])
                if not isinstance(entries, list):
                    raise EncodeError(f"{path}: expected a list")
                fields[branch.field] = tuple(_value(grammar, branch, entry, path) for entry in entries)
                found += len(entries)
            elif _key(branch) in left:
                fields[branch.field] = _value(grammar, branch, left.pop(_key(branch)), path)
                found += 1
        if found < item.low or (item.high == 1 and found > 1):
            names = " or ".join(_key(b) for b in item.branches if b.field != REFUSED)
            raise EncodeError(f"{where}: expected one {names}")
    if left:
        raise EncodeError(f"{where}: unknown {', '.join(map(str, left))}")
    return fields[0] if kind.cls is None else tuple.__new__(kind.cls, fields)


def _value(grammar: Grammar, branch: Branch, content: Any, where: str) -> Any:
    kind = branch.type
    if isinstance(kind, str):
        return _message(grammar, grammar.types[kind], content, where)
    expected = {"bool": bool, "int": int}.get(kind.kind, str)
    # Exactly: True is an int to Python, not to the schema.
    if type(content) is not expected:
        raise EncodeError(f"{where}: expected {expected.__name__}, not {content!s:.60}")
    return _simple(kind, content, where)


def _simple(kind: Simple, content: Any, where: str) -> Any:
    if kind.kind == "enum":
        if content not in kind.texts:
            raise EncodeError(f"{where}: no such value {content:.60}")
        assert kind.enum
        return kind.enum(kind.texts.index(content))
    try:
        if kind.kind == "hex":
            return bytes.fromhex(content)
        if kind.kind == "base64":
            return base64.b64decode(content, validate=True)
    except ValueError as error:
        raise EncodeError(f"{where}: {error}") from error
    return content
