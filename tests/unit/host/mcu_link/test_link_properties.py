"""Properties of the link's codecs on CPython, with cbor2 as the oracle; generated files are current."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import cbor2
from hypothesis import given, settings
from hypothesis import strategies as st

from vsecc_link import cbor, envelope, frame, messages
from vsecc_link.cyclic import CyclicFrame, CyclicReader
from vsecc_link.link import HOST, MCU, Link, host_hello

ROOT = Path(__file__).parents[4]

KEYS = st.integers(-(2**32), 2**32) | st.text(max_size=5)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.binary(max_size=30)
    | st.text(max_size=30)
)


def nested(depth: int) -> st.SearchStrategy[Any]:
    if depth == 0:
        return LEAVES
    inner = nested(depth - 1)
    return LEAVES | st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=3)


@given(nested(3))
@settings(max_examples=150, deadline=None)
def test_cbor_agrees_with_the_oracle(value: Any) -> None:
    ours = cbor.encode(value)
    assert cbor2.loads(ours) == value
    assert cbor.decode(ours) == value
    if not contains_map(value):
        assert ours == cbor2.dumps(value)


def contains_map(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(contains_map, value)))


@given(st.binary(max_size=60))
@settings(max_examples=300, deadline=None)
def test_what_we_decode_the_oracle_decodes_alike(data: bytes) -> None:
    try:
        value = cbor.decode(data)
    except cbor.CborError:
        return
    assert cbor2.loads(data) == value


def field_values(field: tuple[str, int, int, int]) -> st.SearchStrategy[Any]:
    _, kind, low, high = field
    if kind == messages.INT:
        return st.integers(low, high)
    if kind == messages.BOOL:
        return st.booleans()
    if kind == messages.TEXT:
        return st.text(st.characters(max_codepoint=127), min_size=low, max_size=high)
    return st.binary(min_size=low, max_size=high)


MESSAGES = st.sampled_from(sorted(messages.CATALOGUE)).flatmap(
    lambda message_id: st.tuples(
        st.just(message_id), *[field_values(field) for field in messages.CATALOGUE[message_id][3]]
    )
)


@given(MESSAGES)
@settings(max_examples=200, deadline=None)
def test_every_message_of_the_catalogue_survives(message: tuple[Any, ...]) -> None:
    sender = envelope.ROLE_NAMES.index(messages.CATALOGUE[message[0]][1])
    payload = envelope.pack(message, sender)
    assert len(payload) <= frame.PAYLOAD_MAX
    assert envelope.unpack(payload, sender) == (message, None)
    if messages.CATALOGUE[message[0]][2] == messages.CYCLIC:
        cyclic, reader = CyclicFrame(message[0]), CyclicReader(message[0])
        cyclic.values[:] = message[1:]
        cyclic.patch(1, 2, 3)
        assert reader.read(cyclic.buffer, frame.HEAD_SIZE, len(cyclic.buffer) - 4)
        assert reader.message() == message


@given(st.lists(st.binary(max_size=80), max_size=12), st.integers(1, 300))
@settings(max_examples=100, deadline=None)
def test_random_chunks_never_escape_the_link(chunks: list[bytes], step_ms: int) -> None:
    for role in (HOST, MCU):
        hello = host_hello("x") if role == HOST else (messages.HELLO, 1, 0, 0, 0, b"", "", "", "", 0, 0, 0)
        link = Link(role, 9, hello)
        for index, chunk in enumerate(chunks):
            link.receive(chunk, index * step_ms)
            link.tick(index * step_ms)
        events, _ = link.take()
        assert all(kind in (3, 4) for kind, _ in events)


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "protocol" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_cddl_is_current() -> None:
    written = (ROOT / "protocol" / "messages.cddl").read_text(encoding="utf-8")
    assert written == load("generate_cddl").document(), "run python protocol/generate_cddl.py"


def test_vectors_are_current() -> None:
    for name, content in load("generate_vectors").documents().items():
        written = (ROOT / "protocol" / "vectors" / name).read_text(encoding="utf-8")
        assert written == content, "run python protocol/generate_vectors.py"


def test_worked_hex_of_the_wire_document_is_true() -> None:
    seen = set()
    for line in (ROOT / "protocol" / "README.md").read_text(encoding="utf-8").splitlines():
        _, sync, rest = line.partition("a5 5a ")
        if not sync or line.startswith("`"):
            continue
        data = bytes.fromhex(sync + rest)
        parser = frame.Parser()
        assert parser.push(data, 0, len(data)) == len(data)
        assert parser.next(), line
        if parser.kind != frame.ACK:
            sender = HOST if line.startswith("host") else MCU
            message, problem = envelope.unpack(parser.payload(), sender)
            assert problem is None, line
            seen.add(messages.name_of(message[0]))
    assert seen == {"HELLO_REQUEST", "HELLO", "GRANT", "CP_STATE", "SET_PILOT", "STATUS"}
