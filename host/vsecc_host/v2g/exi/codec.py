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
    """The elements that may stand outermost, as document or as fragment, with their functions."""

    def __init__(self, roots: tuple[Root, ...], width: int, grammar: Grammar) -> None:
        self.width = width
        self.mask = (1 << width) - 1
        self.decoders = {root.code: f"d_{root.type}" for root in roots}
        # With the bits that come first: header and root code.
        self.encoders: dict[object, tuple[int, str]] = {
            grammar.types[root.type].cls: (_HEADER << width | root.code, f"e_{root.type}") for root in roots
        }


class Codec:
    """Encoder and decoder of one schema set; functions: those that are compiled already, all or none."""

    def __init__(self, grammar: Grammar, functions: dict[str, _Function]) -> None:
        self._grammar = grammar
        self._space: dict[str, Any] = {**decoder.HELPERS, **encoder.HELPERS}
        self._stubs = {
            prefix + name: self._stub(prefix + name)
            for name in grammar.types
            for prefix in ("d_", "e_")
            if not functions
        }
        self._space.update(functions or self._stubs)
        self._decoder_tables: list[dict[int, _Function]] = []
        self._encoder_tables: list[dict[object, tuple[int, _Function]]] = []
        self._documents = _Roots(grammar.roots, grammar.root_count.bit_length(), grammar)
        # One code more than a document: end of the fragment.
        self._fragments = _Roots(grammar.fragments, (grammar.fragment_count + 1).bit_length(), grammar)

    def encode(self, message: object, fragment: bool) -> bytes:
        """The document or fragment; EncodeError."""
        roots = self._fragments if fragment else self._documents
        start = roots.encoders.get(message.__class__)
        if start is None:
            raise EncodeError(
                f"{message.__class__.__name__} is no {'fragment' if fragment else 'message'} here"
            )
        try:
            acc: int = self._space[start[1]](start[0], message)
        except EncodeError:
            raise
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            name = message.__class__.__name__
            raise EncodeError(f"{name}: wrong type of value, {error!r}") from error
        if fragment:
            acc = acc << roots.width | self._grammar.fragment_count + 1
        bits = acc.bit_length()
        return (acc << -bits % 8).to_bytes((bits + 7) // 8, "big")

    def decode(self, data: bytes, fragment: bool) -> Any:
        """The message; DecodeError with the position of the offending bit. Trailing bytes are ignored."""
        size = len(data)
        if not 2 <= size <= MAX_DOCUMENT_BYTES:
            raise DecodeError(f"{size} bytes, 2 to {MAX_DOCUMENT_BYTES} are allowed", 8 * size)
        if data[0] != _HEADER:
            raise DecodeError(f"EXI header {data[0]:#04x} is not 0x80", 0)
        roots = self._fragments if fragment else self._documents
        n = int.from_bytes(data, "big")
        pos = 8 * size - 8 - roots.width
        try:
            code = n >> pos & roots.mask
            if code not in roots.decoders:
                raise Refused(pos + roots.width, f"root element code {code}")
            message, pos = self._space[roots.decoders[code]](n, pos)
            if fragment and n >> pos - roots.width & roots.mask != self._grammar.fragment_count + 1:
                raise Refused(pos, "fragment does not end after its element")
        except Refused as error:
            raise DecodeError(error.what, 8 * size - error.left) from None
        except ValueError:
            # Only a shift by a negative count: the input is shorter than its contents.
            raise DecodeError("end of input inside the document", 8 * size) from None
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
