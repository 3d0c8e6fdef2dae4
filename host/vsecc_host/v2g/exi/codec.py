"""Turns the tables of one schema set into functions, each when it is first needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import decoder, encoder
from .decoder import DecoderSource
from .encoder import EncoderSource
from .errors import DecodeError, EncodeError, Refused
from .grammar import Grammar, Root

_HEADER = 0x80
# The longest documents of ISO 15118-20 (certificate chains) stay below half of this, and the worst input
# of this size decodes in 20 ms.
MAX_DOCUMENT_BYTES = 32768

_Function = Callable[..., Any]


class _Roots:
    """The elements that may stand outermost: as document or as fragment."""

    def __init__(self, roots: tuple[Root, ...], width: int, grammar: Grammar) -> None:
        self.width = width
        self.by_code = {root.code: root for root in roots}
        self.by_class: dict[object, Root] = {grammar.types[root.type].cls: root for root in roots}


class Codec:
    """Encoder and decoder of one schema set."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._space: dict[str, Any] = {**decoder.HELPERS, **encoder.HELPERS}
        self._stubs = {
            prefix + name: self._stub(prefix + name) for name in grammar.types for prefix in ("d_", "e_")
        }
        self._space.update(self._stubs)
        self._decoder_tables: list[dict[int, _Function]] = []
        self._encoder_tables: list[dict[object, tuple[int, _Function]]] = []
        self._documents = _Roots(grammar.roots, grammar.root_count.bit_length(), grammar)
        # One code more than a document: end of the fragment.
        self._fragments = _Roots(grammar.fragments, (grammar.fragment_count + 1).bit_length(), grammar)

    def encode(self, message: object, fragment: bool) -> bytes:
        """The document or fragment; EncodeError."""
        roots = self._fragments if fragment else self._documents
        root = roots.by_class.get(message.__class__)
        if root is None:
            raise EncodeError(
                f"{message.__class__.__name__} is no {'fragment' if fragment else 'message'} here"
            )
        try:
            acc: int = self._space[f"e_{root.type}"](_HEADER << roots.width | root.code, message)
        except EncodeError:
            raise
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise EncodeError(f"{root.name}: wrong type of value, {error!r}") from error
        if fragment:
            acc = acc << roots.width | self._grammar.fragment_count + 1
        bits = acc.bit_length()
        return (acc << -bits % 8).to_bytes((bits + 7) // 8, "big")

    def decode(self, data: bytes, fragment: bool) -> Any:
        """The message; DecodeError with the position of the offending bit. Trailing bytes are ignored."""
        if not 2 <= len(data) <= MAX_DOCUMENT_BYTES:
            raise DecodeError(f"{len(data)} bytes, 2 to {MAX_DOCUMENT_BYTES} are allowed", 8 * len(data))
        if data[0] != _HEADER:
            raise DecodeError(f"EXI header {data[0]:#04x} is not 0x80", 0)
        total = 8 * len(data)
        try:
            return self._decode(int.from_bytes(data, "big"), total - 8, fragment)
        except Refused as error:
            raise DecodeError(error.what, total - error.left) from None
        except ValueError:
            # Only a shift by a negative count: the input is shorter than its contents.
            raise DecodeError("end of input inside the document", total) from None

    def _decode(self, n: int, pos: int, fragment: bool) -> Any:
        roots = self._fragments if fragment else self._documents
        mask = (1 << roots.width) - 1
        pos -= roots.width
        root = roots.by_code.get(n >> pos & mask)
        if root is None:
            raise Refused(pos + roots.width, f"root element code {n >> pos & mask}")
        message, pos = self._space[f"d_{root.type}"](n, pos)
        if fragment:
            pos -= roots.width
            if n >> pos & mask != self._grammar.fragment_count + 1:
                raise Refused(pos + roots.width, "fragment does not end after its element")
        return message

    def roots(self, fragment: bool) -> tuple[Root, ...]:
        """The elements that may be a document or a fragment."""
        return self._grammar.fragments if fragment else self._grammar.roots

    @property
    def grammar(self) -> Grammar:
        """The tables."""
        return self._grammar

    def compile_all(self) -> None:
        """Compiles what has not been used yet, so that no answer has to wait for it."""
        for name in list(self._stubs):
            self._compile(name)

    def source(self) -> str:
        """All functions as text: for reading, and for compiled builds."""
        kinds = self._grammar.types.values()
        return "\n\n".join(s.text() for k in kinds for s in (DecoderSource(k), EncoderSource(k)))

    def _stub(self, name: str) -> _Function:
        def compile_first(*arguments: Any) -> Any:
            # Whoever still holds the stub after it was replaced gets the function that replaced it.
            function = self._compile(name) if name in self._stubs else self._space[name]
            return function(*arguments)

        return compile_first

    def _compile(self, name: str) -> _Function:
        """Replaces the stub of that name by the real function, wherever it is."""
        kind = self._grammar.types[name[2:]]
        source = DecoderSource(kind) if name.startswith("d_") else EncoderSource(kind)
        text = source.text()
        self._space.update(source.constants)
        for table, types in source.tables.items():
            self._space[table] = self._table(types, isinstance(source, DecoderSource))
        exec(compile(text, f"<exi {name}>", "exec"), self._space)
        function: _Function = self._space[name]
        stub = self._stubs.pop(name)
        for by_code in self._decoder_tables:
            by_code.update((code, function) for code, entry in by_code.items() if entry is stub)
        for by_class in self._encoder_tables:
            by_class.update((cls, (c, function)) for cls, (c, entry) in by_class.items() if entry is stub)
        return function

    def _table(self, types: dict[int, str], decodes: bool) -> object:
        """A choice: function by event code, or event code and function by class."""
        if decodes:
            by_code = {code: self._space[f"d_{name}"] for code, name in types.items()}
            self._decoder_tables.append(by_code)
            return by_code
        by_class: dict[object, tuple[int, _Function]] = {
            self._grammar.types[name].cls: (code, self._space[f"e_{name}"]) for code, name in types.items()
        }
        self._encoder_tables.append(by_class)
        return by_class
