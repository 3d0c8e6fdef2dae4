"""Declarations are complete and values are checked."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsecc_host.settings.declarations import VARIABLES
from vsecc_host.settings.variable import Acts, Key, Kind, Mutability, Scope, Variable


def variable(kind, **more):
    return Variable(
        component="C", variable="V", kind=kind, default="", description="x", acts=Acts.NOW, **more
    )


@pytest.mark.parametrize("declared", VARIABLES, ids=lambda x: f"{x.component}/{x.variable}")
def test_every_default_is_allowed_by_its_own_declaration(declared):
    assert declared.parse(declared.default) == declared.default


@pytest.mark.parametrize("declared", VARIABLES, ids=lambda x: f"{x.component}/{x.variable}")
def test_every_declaration_says_what_it_means(declared):
    assert declared.description
    assert not declared.description.endswith(".")
    assert declared.kind not in (Kind.OPTION, Kind.MEMBERS) or declared.allowed
    assert declared.secret is (declared.mutability is Mutability.WRITE_ONLY)


def test_no_address_is_declared_twice():
    counted = Counter(key for declared in VARIABLES for key in declared.keys(2))
    assert [key for key, count in counted.items() if count > 1] == []


@pytest.mark.parametrize(
    "name",
    [
        "ChargingStation/BaseUri",
        "ChargingStation/Identity",
        "DefaultChargingProfile/SchedulePeriodLimits",
        "DefaultChargingProfile/Unit",
        "OCPPCommCtrlr/BackendComActivated",
        "SecurityCtrlr/BasicAuthPassword",
        "SecurityCtrlr/Identity",
        "AuthCtrlr/Enabled",
        "Connector/DinChargingMode",
        "ChargingCommunicationCtrlr/AbortOnInvalidRequestCurrent",
        "ChargingCommunicationCtrlr/AbortOnInvalidRequestPower",
        "PowerElectronics/Type",
        "PowerElectronics/Uri",
        "ChargingStation/BootReason",
        "ChargingStation/FirmwareVersion",
        "ChargingStation/Model",
        "ChargingStation/SerialNumber",
        "ChargingStation/VendorName",
    ],
)
def test_every_variable_of_the_manual_is_there(name):
    assert name in {f"{x.component}/{x.variable}" for x in VARIABLES}


def test_addresses_follow_the_scope():
    evse, connector = variable(Kind.TEXT, scope=Scope.EVSE), variable(Kind.TEXT, scope=Scope.CONNECTOR)
    assert [str(key) for key in evse.keys(2)] == ["evse.1.C/V", "evse.2.C/V"]
    assert connector.keys(1) == [Key("C", None, 1, 1, "V", None)]
    assert str(Key("C", "I", None, None, "V", "W")) == "C.I/V#W"


@pytest.mark.parametrize(
    ("kind", "more", "raw", "value"),
    [
        (Kind.TEXT, {}, "x", "x"),
        (Kind.INTEGER, {}, 5, 5),
        (Kind.INTEGER, {}, "-5", -5),
        (Kind.DECIMAL, {}, 5, 5.0),
        (Kind.DECIMAL, {}, "5.5", 5.5),
        (Kind.BOOLEAN, {}, True, True),
        (Kind.BOOLEAN, {}, "false", False),
        (Kind.OPTION, {"allowed": ("a", "b")}, "b", "b"),
        (Kind.MEMBERS, {"allowed": ("a", "b")}, "b, a", "b,a"),
        (Kind.MEMBERS, {"allowed": ("a", "b")}, ["a", "b"], "a,b"),
    ],
)
def test_values_are_read_in_their_type(kind, more, raw, value):
    read = variable(kind, **more).parse(raw)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("kind", "more", "raw", "message"),
    [
        (Kind.TEXT, {}, 5, "5 is not a text"),
        (Kind.TEXT, {}, "x" * 2501, "longer than 2500 characters"),
        (Kind.INTEGER, {}, "five", "'five' is not a whole number"),
        (Kind.INTEGER, {}, True, "True is not a whole number"),
        (Kind.INTEGER, {}, 1.5, "1.5 is not a whole number"),
        (Kind.INTEGER, {"minimum": 3}, 2, "2 is below 3"),
        (Kind.DECIMAL, {"maximum": 3}, 3.5, "3.5 is above 3"),
        (Kind.TEXT, {}, "\ud800", "half a character"),
        (Kind.INTEGER, {}, 10**400, "too large a number"),
        (Kind.INTEGER, {}, "9" * 20, "too large a number"),
        (Kind.DECIMAL, {}, "nan", "'nan' is not a number"),
        (Kind.DECIMAL, {}, float("inf"), "inf is not a number"),
        (Kind.DECIMAL, {}, 10**400, "is not a number"),
        (Kind.DECIMAL, {}, "x", "'x' is not a number"),
        (Kind.DECIMAL, {}, False, "False is not a number"),
        (Kind.BOOLEAN, {}, "yes", "'yes' is neither true nor false"),
        (Kind.BOOLEAN, {}, 1, "1 is neither true nor false"),
        (Kind.OPTION, {"allowed": ("a", "b")}, "c", "'c' is not one of a, b"),
        (Kind.MEMBERS, {"allowed": ("a", "b")}, "a,c", "'c' is not one of a, b"),
        (Kind.MEMBERS, {"allowed": ("a", "b")}, [1], "1 is not a text"),
    ],
)
def test_wrong_values_are_refused_in_one_line(kind, more, raw, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        variable(kind, **more).parse(raw)


@given(
    st.sampled_from(Kind),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
)
def test_reading_raises_nothing_but_value_errors(kind, raw):
    try:
        value = variable(kind, allowed=("a",) if kind in (Kind.OPTION, Kind.MEMBERS) else ()).parse(raw)
    except ValueError:
        return
    assert isinstance(value, (str, int, float, bool))
