"""Text to messages and back: the schemas of every version, the category of every refusal, hostile text."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.host.pep.given import CONFIGURATION, STATUS, TARGET, messages, status, wire

from vsecc_host.pep import codec
from vsecc_host.pep import messages as m
from vsecc_host.pep.codec import PepError, decode, encode, fit, fractions
from vsecc_host.pep.messages import ErrorCategory, Kind, MessageType
from vsecc_host.pep.sequence import SequenceCounter
from vsecc_host.pep.versions import (
    OFFERED,
    Feature,
    PepVersion,
    version_of,
    version_of_subprotocol,
)

NEWEST, PARITY = PepVersion.V1_8, PepVersion.V1_2


def target(**changes: object) -> str:
    return wire("request", "targetValues", 8, {**TARGET, **changes})


def refused(text: str | bytes, version: PepVersion = NEWEST, receiver: m.End = "pecc") -> PepError:
    with pytest.raises(PepError) as caught:
        decode(text, version, receiver)
    return caught.value


# --- good messages ------------------------------------------------------------------------------------------


@given(messages())
def test_what_is_encoded_is_decoded(made: tuple[m.Message, PepVersion]) -> None:
    message, version = made
    layout = m.layout_of(message.type, message.kind)
    assert layout is not None
    receiver: m.End = "pecc" if layout.sender == "secc" else "secc"
    assert decode(encode(message), version, receiver) == message


@given(messages())
def test_integer_mode_leaves_no_fraction_and_stays_valid(made: tuple[m.Message, PepVersion]) -> None:
    message, version = made
    layout = m.layout_of(message.type, message.kind)
    assert layout is not None
    receiver: m.End = "pecc" if layout.sender == "secc" else "secc"
    assert fractions(decode(encode(fit(message, version, integers=True)), version, receiver)) == []


def test_members_nobody_declared_are_dropped_at_every_level() -> None:
    text = wire("info", "status", payload={**STATUS, "humidity": 40}, vendor={"a": 1})
    assert decode(text, NEWEST, "secc").payload == STATUS


def test_members_of_later_versions_are_dropped() -> None:
    text = wire("response", "configuration", 1, {**CONFIGURATION, "floatValues": True})
    assert "floatValues" not in decode(text, PepVersion.V1_3, "secc").payload
    assert decode(text, PepVersion.V1_4, "secc").payload["floatValues"] is True


def test_whole_floats_are_integers() -> None:
    assert decode('{"type":"request","kind":"reset","sequenceNumber":7.0,"payload":{}}', NEWEST, "pecc") == (
        m.request(Kind.RESET, 7)
    )
    assert '"targetVoltage":600,' in encode(
        m.request(Kind.TARGET_VALUES, 1, {**TARGET, "targetVoltage": 600.0})
    )


@pytest.mark.parametrize("payload", [{}, [], None, 5, "x", {"a": 1}])
def test_an_empty_payload_may_be_anything_but_absent(payload: object) -> None:
    text = json.dumps({"type": "request", "kind": "reset", "sequenceNumber": 1, "payload": payload})
    assert decode(text, NEWEST, "pecc") == m.request(Kind.RESET, 1)
    missing = refused('{"type":"request","kind":"reset","sequenceNumber":1}')
    assert (missing.category, missing.kind, missing.sequence_number) == (ErrorCategory.FORMAT, "reset", 1)


def test_cable_check_voltage_is_required_from_1_3_on() -> None:
    text = wire("request", "cableCheck", 4)
    assert decode(text, PARITY, "pecc").payload == {}
    assert refused(text, PepVersion.V1_3).details == "voltage is missing"


def test_input_values_may_be_missing() -> None:
    assert decode(wire("response", "getInput", 3), NEWEST, "pecc").payload == {}
    assert (
        "array of strings"
        in refused(wire("request", "getInput", 3, {"inputIdentifiers": "d1"}), receiver="secc").details
    )


def test_no_imd_ended_with_1_6() -> None:
    text = status(isolationStatus="noImd")
    assert decode(text, PepVersion.V1_6, "secc").payload["isolationStatus"] == "noImd"
    refused(text, PepVersion.V1_7, "secc")


@pytest.mark.parametrize("kind", ["reset", "getInput", "setOutput", "stopCharging", "error", "whatever"])
def test_an_error_may_carry_any_kind(kind: str) -> None:
    text = wire("error", kind, 0, {"errorCategory": "format", "errorDetails": ""})
    assert decode(text, NEWEST, "secc").kind == kind


def test_the_old_spelling_of_value_is_understood() -> None:
    text = wire("error", "targetValues", 5, {"errorCategory": "valueError", "errorDetails": "too high"})
    assert decode(text, PARITY, "secc").payload["errorCategory"] == "value"


# --- refusals -----------------------------------------------------------------------------------------------

UNREADABLE: list[Any] = [
    "",
    "{",
    "nonsense",
    "[]",
    "5",
    "null",
    '"text"',
    b"\xff\xfe\x00",
    b'\xef\xbb\xbf{"type":"request"}',
    '{"a":NaN}',
    '{"a":-Infinity}',
    "[" * 100_000,
    '{"sequenceNumber":' + "9" * 5000 + "}",
    '{"type":"request"' + " " * codec.MAX_MESSAGE_SIZE + "}",
]


@pytest.mark.parametrize("text", UNREADABLE, ids=range(len(UNREADABLE)))
def test_unreadable_text_is_answered_with_number_0(text: str | bytes) -> None:
    problem = refused(text)
    assert problem.answer == m.error(Kind.ERROR, 0, ErrorCategory.FORMAT, problem.details)
    encode(problem.answer)


REFUSED: list[tuple[str, str, str, int]] = [
    # text, category, kind and number of the answer
    ('{"kind":"reset","sequenceNumber":8,"payload":{}}', "format", "error", 8),
    (wire("command", "reset", 8), "format", "error", 8),
    ('{"type":[],"kind":"reset","sequenceNumber":true,"payload":{}}', "format", "error", 0),
    (wire("request", "fly", 8), "format", "error", 8),
    ('{"type":"request","kind":7,"sequenceNumber":8,"payload":{}}', "format", "error", 8),
    (wire("request", "Reset", 8), "format", "error", 8),
    (wire("request", "status", 8, STATUS), "format", "error", 8),
    (wire("request", "reset"), "format", "reset", 0),
    (wire("request", "reset", "8"), "format", "reset", 0),
    (wire("request", "reset", 8.5), "format", "reset", 0),
    (wire("request", "reset", -1), "format", "reset", 0),
    (wire("request", "reset", 2147483648), "format", "reset", 0),
    (wire("request", "reset", True), "format", "reset", 0),
    (wire("request", "targetValues", 8, [1]), "format", "targetValues", 8),
    (wire("request", "targetValues", 8, {}), "format", "targetValues", 8),
    (target(targetVoltage=True), "format", "targetValues", 8),
    (target(targetVoltage="388"), "format", "targetValues", 8),
    (target(targetVoltage=None), "format", "targetValues", 8),
    (target(targetVoltage=1e308), "format", "targetValues", 8),
    (target(targetCurrent=-0.1), "format", "targetValues", 8),
    (
        target(batteryStateOfCharge=101),
        "format",
        "targetValues",
        8,
    ),
    (target(chargingState="Charge"), "format", "targetValues", 8),
    (
        target(chargingState=["charge"]),
        "format",
        "targetValues",
        8,
    ),
    (wire("request", "getInput", 8, {"inputIdentifiers": ["d1"]}), "generic", "getInput", 8),
    (wire("request", "stopCharging", 8), "generic", "stopCharging", 8),
]


@pytest.mark.parametrize(("text", "category", "kind", "number"), REFUSED)
def test_each_faulty_request_has_its_answer(text: str, category: str, kind: str, number: int) -> None:
    answer = refused(text).answer
    assert answer is not None
    assert (answer.type, answer.kind, answer.sequence_number) == (MessageType.ERROR, kind, number)
    assert answer.payload["errorCategory"] == category
    assert decode(encode(answer), NEWEST, "secc") == answer


SILENT = [
    wire("info", "status", payload={}),
    wire("info", "weather"),
    wire("response", "configuration", 1, {}),
    wire("response", "fly", 1),
    wire("response", "getInput", 1, {"inputValues": {}}),  # ours to send
    wire("error", "reset", 1, {}),
    wire("error", "reset", None, {"errorCategory": "format", "errorDetails": ""}),
    wire("error", "reset", 1, {"errorCategory": "unheard", "errorDetails": ""}),
    wire("info", "evConnectionState", payload={"evConnectionState": "connected"}),
    status(temperature=True),
    status(measuredVoltage=-1),
    '{"type":"info","kind":"event"}',
]


@pytest.mark.parametrize("text", SILENT)
def test_only_requests_are_answered(text: str) -> None:
    assert refused(text, receiver="secc").answer is None


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_json_does_not_have_is_refused_wherever_it_stands(number: str) -> None:
    for member in ('"voltage":400,"more":%s', '"voltage":%s'):
        text = '{"type":"request","kind":"cableCheck","sequenceNumber":4,"payload":{%s}}' % (member % number)
        problem = refused(text)
        assert (problem.category, problem.kind, problem.sequence_number) == (ErrorCategory.FORMAT, "error", 0)


def test_a_message_beyond_all_bounds_is_not_parsed() -> None:
    fits = wire("request", "reset", 4, {"more": ""})
    padding = codec.MAX_MESSAGE_SIZE - len(fits)
    assert decode(wire("request", "reset", 4, {"more": "x" * padding}), NEWEST, "pecc").kind == "reset"
    problem = refused(wire("request", "reset", 4, {"more": "x" * (padding + 1)}))
    assert (problem.category, problem.sequence_number) == (ErrorCategory.FORMAT, 0)
    assert str(codec.MAX_MESSAGE_SIZE) in problem.details


def test_a_faulty_reply_still_names_its_request() -> None:
    problem = refused(wire("response", "configuration", 12, {"firmwareVersion": 1}), receiver="secc")
    assert (problem.about, problem.kind, problem.sequence_number) == (
        MessageType.RESPONSE,
        "configuration",
        12,
    )


def test_an_infinite_number_is_none() -> None:
    text = status().replace("-3.5", "1e999")
    assert "1e999" in text
    assert refused(text, receiver="secc").details == "temperature: inf is no number"
    huge = status().replace("-3.5", "1" + "0" * 400)
    assert refused(huge, receiver="secc").details == "temperature: a huge integer is no number"


def test_details_are_short_and_printable() -> None:
    details = refused(wire("request", "x" * 5000 + "\n\ud800", 1)).details
    assert len(details) < 2 * codec.MAX_DETAIL
    assert details.isprintable()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_is_never_written(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode(m.info(Kind.STATUS, {**STATUS, "temperature": value}))


# --- versions -----------------------------------------------------------------------------------------------

SINCE = {
    Kind.GET_INPUT: PepVersion.V1_2,
    Kind.SET_OUTPUT: PepVersion.V1_2,
    Kind.EV_CONNECTION_STATE: PepVersion.V1_2,
    Kind.STOP_CHARGING: PepVersion.V1_5,
    Kind.CHARGING_SESSION: PepVersion.V1_6,
}


@pytest.mark.parametrize("version", PepVersion)
def test_each_version_has_its_kinds(version: PepVersion) -> None:
    for layout in m.LAYOUTS:
        assert version.has(layout.feature) is (version >= SINCE.get(layout.kind, PepVersion.V1_1))


def test_a_kind_of_a_later_version_is_unknown() -> None:
    assert refused(wire("request", "stopCharging", 3), PepVersion.V1_4, "secc").kind == Kind.ERROR
    assert decode(wire("request", "stopCharging", 3), PepVersion.V1_5, "secc").kind == Kind.STOP_CHARGING


def test_versions_by_name() -> None:
    assert version_of("1.2") is PepVersion.V1_2
    assert version_of_subprotocol("pep1.8") is PepVersion.V1_8
    assert version_of_subprotocol(None) is version_of_subprotocol("mqtt") is None
    assert [version.subprotocol for version in OFFERED][:2] == ["pep1.8", "pep1.7"]
    assert OFFERED[-1] is PepVersion.V1_2
    assert not PepVersion.V1_7.has(Feature.NO_IMD)
    with pytest.raises(ValueError, match=r"no PEP version 2\.0"):
        version_of("2.0")


# --- integer mode -------------------------------------------------------------------------------------------


def test_a_peer_gets_only_what_its_version_knows() -> None:
    told = m.info(Kind.EV_CONNECTION_STATE, {"evConnectionState": "connected", "vehicleId": "00:11"})
    assert fit(told, PepVersion.V1_2, integers=True).payload == {"evConnectionState": "connected"}
    assert fit(told, PepVersion.V1_3, integers=True) == told


def test_integers_never_ask_for_more_current() -> None:
    asked = m.request(Kind.TARGET_VALUES, 1, {**TARGET, "batteryStateOfCharge": 37.9})
    assert fit(asked, NEWEST, integers=True).payload == {
        "targetVoltage": 388,
        "targetCurrent": 1,
        "batteryStateOfCharge": 37,
        "chargingState": "preCharge",
    }
    assert fit(asked, NEWEST, integers=False) == asked


def test_limits_are_rounded_inwards() -> None:
    limits = {"limitVoltageMin": 150.2, "limitVoltageMax": 920.8, "limitDischargeCurrentMax": -30.7}
    whole = fit(
        m.Message(type=MessageType.RESPONSE, kind="configuration", payload=limits), NEWEST, integers=True
    )
    assert whole.payload == {"limitVoltageMin": 151, "limitVoltageMax": 920, "limitDischargeCurrentMax": -30}


def test_terminal_values_keep_their_fractions() -> None:
    told = m.response(m.request(Kind.GET_INPUT, 1), {"inputValues": {"a1": 5.2}})
    assert fit(told, PARITY, integers=True) == told
    assert '"a1":5.2' in encode(told)


# --- numbers of requests ------------------------------------------------------------------------------------


def test_numbers_rise_and_wrap_to_1() -> None:
    counter = SequenceCounter()
    assert [counter.next() for _ in range(3)] == [1, 2, 3]
    late = SequenceCounter(m.MAX_NUMBER - 1)
    assert [late.next(), late.next()] == [2147483647, 1]


# --- anything -----------------------------------------------------------------------------------------------


def settled(frame: str | bytes, version: PepVersion) -> None:
    """What is taken means the same when written again; what is refused is said in words."""
    refusal: PepError | None = None
    message: m.Message | None = None
    try:
        message = decode(frame, version, "secc")
    except PepError as problem:
        refusal = problem
    if message is not None:
        assert decode(encode(message), version, "secc") == message
    elif refusal is not None:
        assert refusal.details and refusal.category in set(m.ErrorCategory)
        assert refusal.answer is None or encode(refusal.answer)


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300)), st.sampled_from(PepVersion))
def test_any_frame_is_a_message_or_an_error(text: str | bytes, version: PepVersion) -> None:
    settled(text, version)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(messages(), st.data())
def test_a_bent_message_is_a_message_or_an_error(
    made: tuple[m.Message, PepVersion], data: st.DataObject
) -> None:
    message, version = made
    fields = json.loads(encode(message))
    target = fields if data.draw(st.booleans()) or not fields["payload"] else fields["payload"]
    name = data.draw(st.sampled_from(sorted(target)))
    if data.draw(st.booleans()):
        del target[name]
    else:
        target[name] = data.draw(JSON)
    for receiver in get_args(m.End):
        answer = None
        try:
            decode(json.dumps(fields), version, receiver)
        except PepError as problem:
            answer = problem.answer
        assert answer is None or encode(answer)


@given(messages(), st.integers(0, 10_000), st.integers(0, 7))
def test_flipped_bits_and_cut_ends(made: tuple[m.Message, PepVersion], at: int, bit: int) -> None:
    message, version = made
    raw = bytearray(encode(message).encode())
    raw[at % len(raw)] ^= 1 << bit
    for frame in (bytes(raw), bytes(raw[: at % len(raw)])):
        settled(frame, version)
