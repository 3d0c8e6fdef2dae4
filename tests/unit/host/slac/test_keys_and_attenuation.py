"""Keys with the vectors of real chargers; averages as a car will see them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.host.slac.rig import randomness

from vsecc_host.slac.attenuation import STAND_IN_DB, Averaging
from vsecc_host.slac.keys import new_key, nid_of


@pytest.mark.parametrize(
    ("nmk", "nid"),
    [
        ("b59319d7e8157ba001b018669ccee30d", "026bcba5354e08"),
        ("d84a239554e7980bb73263f505734afd", "d5925cb82e6808"),
        ("3b1fe4cc1bb8f8b8484096dc2eb59e8b", "bc90751a5e390e"),
        ("8f1af3ebd67252be4a8195c96e7b5fb0", "65188c71e87d0d"),
        ("0c2cd71946a30cb75e14b75e03c4458b", "6a7566a25d360d"),
    ],
)
def test_network_id_of_a_key(nmk: str, nid: str) -> None:
    assert nid_of(bytes.fromhex(nmk)).hex() == nid


def test_a_key_is_fresh_and_does_not_show() -> None:
    source = randomness()
    one, other = new_key(source), new_key(source)
    assert one.nmk != other.nmk
    assert one.nid == nid_of(one.nmk)
    assert one.nmk.hex() not in repr(one)
    assert str(one.nmk) not in repr(one)


def test_average_is_rounded_half_up() -> None:
    averaging = Averaging()
    averaging.add(bytes([1, 2, 3]))
    averaging.add(bytes([2, 2, 4]))
    assert averaging.result().groups_db == (2, 2, 4)


def test_own_receive_path_is_taken_off_and_clamped() -> None:
    averaging = Averaging()
    averaging.add(bytes([5, 20, 30]))
    assert averaging.result(7).groups_db == (0, 13, 23)
    assert averaging.result([1, 2]).groups_db == (4, 18, 30)


def test_sounds_are_those_really_used() -> None:
    averaging = Averaging()
    for _ in range(7):
        assert averaging.add(bytes([30] * 58))
    assert not averaging.add(bytes([30] * 57))
    result = averaging.result()
    assert (result.num_sounds, result.average_db) == (7, 30.0)


def test_a_modem_that_cannot_measure_has_no_result_unless_a_stand_in_is_allowed() -> None:
    averaging = Averaging()
    assert averaging.result(0, STAND_IN_DB) is None
    averaging.add(b"")
    assert averaging.result() is None
    stand_in = averaging.result(0, STAND_IN_DB)
    assert stand_in.stand_in
    assert stand_in.groups_db[-3:] == (15, 19, 25)


@given(st.lists(st.binary(min_size=58, max_size=58), min_size=1, max_size=20), st.integers(-10, 20))
def test_every_average_fits_the_wire(profiles: list[bytes], offset_db: int) -> None:
    averaging = Averaging()
    for profile in profiles:
        averaging.add(profile)
    groups = averaging.result(offset_db).groups_db
    bytes(groups)
    for group, *levels in zip(groups, *profiles, strict=True):
        assert min(255, max(0, min(levels) - offset_db)) <= group <= max(0, min(255, max(levels) - offset_db))
