"""Filters: what they let through, and mistakes that say where and what would fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.tools.uart.lines import charged, decoded

from vsecc_uart.filters import LENGTH_MAX, BadFilter, compile_filter
from vsecc_uart.values import MCU, BadRecord, FrameRecord, GapRecord, NoteRecord

RECORDS = [
    *decoded(charged(250)),
    BadRecord(at_s=1.0, sender=MCU, raw=b"xyz", reason="noise", text="no frame begins here"),
    GapRecord(at_s=1.0, sender=MCU, count=2, text="two"),
    NoteRecord(at_s=1.0, text="following"),
]


def picked(text):
    wanted = compile_filter(text)
    return [record for record in RECORDS if wanted(record)]


def names(text):
    return {record.name for record in picked(text)}


def test_messages_fields_and_words():
    assert names("CP_STATE") == names("cp_state") == {"CP_STATE"}
    assert names("CP_STATE or GRANT") == {"CP_STATE", "GRANT"}
    assert all(record.fields()["port"] == 1 for record in picked("CP_STATE and port==1"))
    assert len(picked("state==C")) == 1
    assert picked("state == 3") == picked("state==C")
    assert names("cp1_state==C and STATUS") == {"STATUS"}
    assert {record.fields()["relays"] for record in picked("relays==REL1")} == {1}
    assert picked("bad") == picked("noise") == picked("reason==noise") == [RECORDS[-3]]
    assert picked("gap or note") == [r for r in RECORDS if isinstance(r, GapRecord | NoteRecord)]
    assert len(picked("")) == len(RECORDS)


def test_and_binds_tighter_than_or_and_not_tighter_than_both():
    assert picked("GRANT or CP_STATE and port==2") == picked("GRANT or (CP_STATE and port==2)")
    assert picked("not GRANT and host") == picked("(not GRANT) and host")
    assert picked("not (GRANT and host)") == picked("not GRANT")
    assert picked("not not GRANT") == picked("GRANT")


def test_a_record_without_the_field_fits_no_comparison():
    assert all("port" in record.fields() for record in picked("port!=1"))
    assert picked("not port==1") != picked("port!=1")


def test_numbers_text_and_direction():
    assert picked("number>=3 and number<5 and reliable")
    assert {record.number for record in picked("number>=3 and number<5 and reliable and mcu")} == {3, 4}
    assert picked("from==host") == picked("host")
    assert any(isinstance(record, NoteRecord) for record in picked("text ~ 'FROM THE HOST'"))
    assert names("version_major==0x1 and kind==handshake") == {"HELLO", "HELLO_REQUEST"}
    assert names("closed==true") == {"RELAY_STATE"}
    assert all(
        isinstance(record, FrameRecord) and len(record.raw) > 60 for record in picked("frame and bytes>60")
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("CP_STAT", "is it CP_STATE"),
        ("prt==1", "is it port"),
        ("port", "is a field: compare it"),
        ("port=1", "use `==`"),
        ("port==", "ends where a value"),
        ("port==(", "expected a value"),
        ("(GRANT", r"ends where `\)`"),
        ("GRANT)", r"expected `and`, `or` or the end, not \)"),
        ("GRANT CP_STATE", "expected `and`, `or` or the end"),
        ("and GRANT", "expected a message"),
        ("not", "ends where a message"),
        ("port<C", "compares numbers"),
        ("port==1 $", "unexpected '\\$' .character 9 "),
        ("(" * 60 + "GRANT", "nested"),
        ("not " * 60 + "GRANT", "nested"),
        ("GRANT or " * 200 + "GRANT", "longer than"),
    ],
)
def test_mistakes_say_where_and_what_fits(text, problem):
    with pytest.raises(BadFilter, match=problem):
        compile_filter(text)


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_a_bad_filter(text):
    try:
        wanted = compile_filter(text)
    except BadFilter:
        return
    for record in RECORDS[-60:]:
        assert wanted(record) in (True, False)


@given(
    st.lists(
        st.sampled_from(["port", "GRANT", "==", "1", "(", ")", "not", "or", "and", "~", "<", "'x'", "nan"])
    )
)
def test_any_tokens_are_a_filter_or_a_bad_filter(tokens):
    try:
        wanted = compile_filter(" ".join(tokens)[:LENGTH_MAX])
    except BadFilter:
        return
    assert all(wanted(record) in (True, False) for record in RECORDS[-40:])
