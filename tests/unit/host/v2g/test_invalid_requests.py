"""Requests beyond the told limits, in both protocols: AbortOnInvalidRequestCurrent and -Power."""

from __future__ import annotations

from typing import Any

import pytest
from unit.host.station.rig import only
from unit.host.v2g import given as din
from unit.host.v2g.car import Car
from unit.host.v2g.iso2 import given as iso2
from unit.host.v2g.iso2.car import Iso2Car
from unit.host.v2g.wired import BATTERY_V, Wired

from vsecc_host.station import commands as c
from vsecc_host.station.config import EvseConfig
from vsecc_host.station.values import Cause, Phase

LANGUAGES = [(Car, din), (Iso2Car, iso2)]
MUCH_W = 200_000.0  # so that only the current binds: 200 A
LITTLE_W = 20_000.0  # 50 A at 376 V (in steps of 10 V: 380 V)

both = pytest.mark.parametrize(("kind", "words"), LANGUAGES, ids=["din", "iso2"])


def charging(kind: type[Car], *, current: bool, power: bool, max_power_w: float) -> Wired:
    config = EvseConfig(abort_on_invalid_current=current, abort_on_invalid_power=power)
    wired = Wired(kind, config, max_power_w)
    wired.charge()
    return wired


def is_aborted(wired: Wired, words: Any, cause: Cause) -> None:
    """The output went off at once, the next request is refused, the session is over for this reason."""
    assert (wired.rig.phase, wired.rig.view.cause) == (Phase.STOPPING, cause)
    assert [target.current_a for target in only(wired.rig.log, c.PowerTarget)][-1] == 0.0
    (answer,) = wired.send(words.current_demand(390.0, 10.0))
    assert answer.response_code.name == "FAILED"
    assert answer.dc_evse_status.evse_status_code.name == "EVSE_EmergencyShutdown"
    assert [(end.cause, end.orderly) for end in wired.car.ends] == [(cause, False)]


def goes_on_with(wired: Wired, words: Any, current_a: float) -> None:
    """The session goes on, the current is cut, the car is told that it gets less."""
    assert wired.rig.phase is Phase.CHARGING and not wired.car.ends
    assert only(wired.rig.log, c.PowerTarget)[-1].current_a == pytest.approx(current_a)
    (answer,) = wired.send(words.current_demand(390.0, 199.0))
    assert answer.response_code.name == "OK"


@both
@pytest.mark.parametrize("power", [True, False])
def test_more_current_than_told_aborts(kind: type[Car], words: Any, power: bool) -> None:
    wired = charging(kind, current=True, power=power, max_power_w=MUCH_W)
    (answer,) = wired.send(words.current_demand(390.0, 201.5))
    assert answer.response_code.name == "OK" and answer.evse_current_limit_achieved
    is_aborted(wired, words, Cause.LIMITS_EXCEEDED)


@both
def test_more_current_than_told_is_reduced_when_so_configured(kind: type[Car], words: Any) -> None:
    wired = charging(kind, current=False, power=True, max_power_w=MUCH_W)
    wired.send(words.current_demand(390.0, 210.0))
    goes_on_with(wired, words, 200.0)


@both
def test_rounding_to_whole_amperes_is_no_offence(kind: type[Car], words: Any) -> None:
    wired = charging(kind, current=True, power=True, max_power_w=MUCH_W)
    wired.send(words.current_demand(390.0, 201.0))
    goes_on_with(wired, words, 200.0)


@both
def test_more_power_than_told_aborts(kind: type[Car], words: Any) -> None:
    wired = charging(kind, current=False, power=True, max_power_w=LITTLE_W)
    (answer,) = wired.send(words.current_demand(390.0, 60.0))
    assert answer.evse_power_limit_achieved
    is_aborted(wired, words, Cause.LIMITS_EXCEEDED)


@both
def test_more_power_than_told_is_reduced_when_so_configured(kind: type[Car], words: Any) -> None:
    wired = charging(kind, current=False, power=False, max_power_w=LITTLE_W)
    wired.send(words.current_demand(390.0, 60.0))
    goes_on_with(wired, words, LITTLE_W / 380.0)


@both
@pytest.mark.parametrize("voltage_v", [922.0, 100.0])
def test_a_voltage_that_cannot_be_supplied_always_aborts(
    kind: type[Car], words: Any, voltage_v: float
) -> None:
    wired = charging(kind, current=False, power=False, max_power_w=MUCH_W)
    wired.send(words.current_demand(voltage_v, 10.0))
    is_aborted(wired, words, Cause.VOLTAGE_NOT_SUPPORTED)


@both
def test_in_pre_charge_a_first_target_out_of_reach_is_forgiven_a_second_is_not(
    kind: type[Car], words: Any
) -> None:
    car = Wired(kind, EvseConfig())
    car.charge_until_pre_charge()
    for voltage_v in (-5.0, 20.0):  # too low is never an offence: the car's contactors are open
        (answer,) = car.send(words.pre_charge(voltage_v))
        assert answer.response_code.name == "OK"
        assert only(car.rig.log, c.PowerTarget)[-1].voltage_v == 150.0
    car = Wired(kind, EvseConfig())
    car.charge_until_pre_charge()
    car.send(words.pre_charge(950.0))
    assert car.rig.phase is Phase.PRE_CHARGE
    car.send(words.pre_charge(950.0))
    assert car.rig.view.cause is Cause.VOLTAGE_NOT_SUPPORTED
    (answer,) = car.send(words.pre_charge(BATTERY_V))
    assert answer.response_code.name == "FAILED"
