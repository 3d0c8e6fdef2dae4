"""Terminals as power electronics use them: identifiers, values, all or nothing, who wrote last."""

from __future__ import annotations

import pytest

from vsecc_host.terminals import OFF_AFTER_S, READING_OLD_S, Conversion, TerminalError, Terminals

READINGS = {
    "digital_inputs": 0b1000_0001,
    "analog1_mv": 10_000,
    "analog2_mv": 1234,
    **{f"resistance{n}_mohm": 1_000_000 + n * 1000 for n in range(1, 10)},
    "sensors_valid": 0b1_1111_1111,
}
EVERY = [*(f"d{n}" for n in range(1, 9)), "a1", "a2", *(f"{x}{n}" for x in ("t", "tr") for n in range(1, 10))]


def there(conversion: Conversion = Conversion.ORIGINAL, **more: bool) -> Terminals:
    terminals = Terminals(conversion, **more)
    terminals.mcu_up()
    terminals.take()
    terminals.heard(READINGS, 0.0)
    return terminals


def refused(category: str) -> pytest.RaisesExc[TerminalError]:
    return pytest.raises(TerminalError, check=lambda problem: problem.category == category)


# --- inputs -------------------------------------------------------------------------------------------------


def test_every_input_has_a_value() -> None:
    values = there().read(EVERY, 0.0)
    assert list(values) == EVERY
    assert (values["d1"], values["d2"], values["d8"]) == (1, 0, 1)
    assert (values["a1"], values["a2"]) == (10.0, 1.23)
    assert (values["tr1"], values["tr9"]) == (1001.0, 1009.0)
    assert values["t5"] == round(0.29 * 1005 - 295, 2) == -3.55


@pytest.mark.parametrize(
    "name", ["d0", "d9", "d16", "a0", "a3", "t0", "t10", "tr10", "D1", "d01", "", " d1", "x" * 999]
)
def test_any_other_input_is_none(name: str) -> None:
    with refused("value") as caught:
        there().read(["d1", name], 0.0)
    assert repr(name[:40]) in str(caught.value)


def test_no_identifiers_and_doubled_ones() -> None:
    assert there().read([], 0.0) == {}
    assert there().read(["d1", "d1"], 0.0) == {"d1": 1}


def test_old_readings_are_none() -> None:
    terminals = there()
    terminals.read(["d1"], READING_OLD_S)
    with refused("internal"):
        terminals.read(["d1"], READING_OLD_S + 0.01)


def test_without_the_mcu_nothing_is_read_or_written() -> None:
    terminals = there()
    terminals.mcu_lost()
    with refused("internal"):
        terminals.read(["d1"], 0.0)
    with refused("internal"):
        terminals.write(1, {"d1": 1})
    with refused("value"):  # the mistake of the sender comes first
        terminals.write(1, {"d99": 1})


def test_a_board_without_such_an_input() -> None:
    terminals = there()
    terminals.heard({"digital_inputs": 0}, 0.0)
    assert terminals.read(["d1"], 0.0) == {"d1": 0}
    with refused("internal"):
        terminals.read(["d1", "t1"], 0.0)


@pytest.mark.parametrize(
    ("masks", "readable"),
    [
        ({"sensors_valid": 0b10}, True),
        ({"sensors_open": 0b10}, True),
        ({"sensors_short": 0b10}, True),
        ({"sensors_valid": 0b101}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("name", ["t2", "tr2"])
def test_a_sensor_nobody_has_read_yet(masks: dict[str, int], readable: bool, name: str) -> None:
    terminals = there()
    terminals.heard({"resistance2_mohm": 0, **masks}, 0.0)
    if readable:
        assert name in terminals.read([name], 0.0)
    else:
        with refused("internal"):
            terminals.read([name], 0.0)


@pytest.mark.parametrize(
    ("ohm", "original", "iec60751"),
    [
        (185.201, -241.29, -200.0),  # values of the table of IEC 60751
        (763.278, -73.65, -60.0),
        (1000.0, -5.0, 0.0),
        (1385.055, 106.67, 100.0),
        (3904.811, 837.4, 850.0),
        (0.0, -295.0, -200.0),
        (20_000.0, 5505.0, 850.0),
    ],
)
def test_both_conversions(ohm: float, original: float, iec60751: float) -> None:
    for conversion, celsius in ((Conversion.ORIGINAL, original), (Conversion.IEC60751, iec60751)):
        terminals = there(conversion)
        terminals.heard({"resistance1_mohm": round(ohm * 1000), "sensors_valid": 1}, 0.0)
        assert terminals.read(["t1"], 0.0)["t1"] == pytest.approx(celsius, abs=0.02)


# --- outputs ------------------------------------------------------------------------------------------------


def test_outputs_are_written_by_name() -> None:
    terminals = there()
    terminals.write(1, {"d1": 1, "d16": 1.0, "d2": 0})
    assert terminals.take() == [(0x8003, 0x8001)]
    terminals.write(1, {"d1": 0})
    assert terminals.take() == [(1, 0)]
    assert terminals.outputs == 0x8000


@pytest.mark.parametrize("value", [True, False, "1", 2, -1, 0.5, None, [1], float("nan")])
def test_an_output_is_0_or_1(value: object) -> None:
    terminals = there()
    with refused("value"):
        terminals.write(1, {"d1": 1, "d3": value})
    assert (terminals.take(), terminals.outputs) == ([], 0)


def test_nothing_to_write() -> None:
    terminals = there()
    terminals.write(1, {})
    assert terminals.take() == []


def test_a_new_mcu_session_gets_the_outputs_again() -> None:
    terminals = there()
    terminals.write(1, {"d3": 1})
    terminals.take()
    terminals.mcu_lost()
    terminals.mcu_up()
    assert terminals.take() == [(0xFFFF, 0b100)]


def test_outputs_of_lost_power_electronics_go_off() -> None:
    terminals = there()
    terminals.write(1, {"d1": 1, "d2": 1})
    terminals.write(2, {"d2": 1, "d3": 1})
    terminals.take()
    terminals.disconnected(1, 10.0)
    assert terminals.next_deadline() == 10.0 + OFF_AFTER_S
    terminals.tick(14.99)
    assert terminals.take() == []
    terminals.tick(15.0)
    assert terminals.take() == [(0b001, 0)]  # d2 belongs to the last writer, outlet 2
    assert (terminals.outputs, terminals.next_deadline()) == (0b110, None)


def test_a_quick_return_keeps_them() -> None:
    terminals = there()
    terminals.write(1, {"d1": 1})
    terminals.disconnected(1, 10.0)
    terminals.connected(1)
    assert terminals.next_deadline() is None
    terminals.tick(99.0)
    assert terminals.outputs == 1


def test_a_second_loss_counts_from_the_first() -> None:
    terminals = there()
    terminals.write(1, {"d1": 1})
    terminals.disconnected(1, 10.0)
    terminals.disconnected(1, 12.0)
    assert terminals.next_deadline() == 15.0


def test_outputs_can_be_held() -> None:
    terminals = there(hold=True)
    terminals.write(1, {"d1": 1})
    terminals.disconnected(1, 10.0)
    assert terminals.next_deadline() is None
