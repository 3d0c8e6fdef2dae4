"""Settings become the configuration of matching."""

from __future__ import annotations

import pytest

from vsecc_host.settings.store import Settings, SettingsError
from vsecc_host.slac.attenuation import Averaging
from vsecc_host.slac.config import SlacConfig
from vsecc_host.wiring import check_interfaces, slac_config


def settings(**values: object) -> Settings:
    made = Settings.load(evses=2)
    made.set_for_run("Plc", "Url", "iface://eth7", evse=2)
    for name, value in values.items():
        made.set_for_run("Slac", name, value, evse=2)
    return made


@pytest.mark.parametrize(
    ("url", "interface"),
    [("sim://", None), ("iface://eth1?slac=off", None), ("iface://eth1", "eth1"), ("sim://plc1", "plc1")],
)
def test_where_a_modem_is_there_is_matching(url: str, interface: str | None) -> None:
    made = Settings.load(evses=1)
    made.set_for_run("Plc", "Url", url, evse=1)
    config = slac_config(made, 1)
    assert (config.interface if config is not None else None) == interface


def test_untouched_settings_are_the_defaults_of_the_machine() -> None:
    assert slac_config(settings(), 2) == SlacConfig(interface="eth7")


def test_each_setting_arrives() -> None:
    config = slac_config(
        settings(
            AttenuationOffset="7",
            StandInAttenuation=True,
            Validation=False,
            InitTimeout=25.0,
            WakeUps=0,
            MatchingRuns=3,
            ResetDeadModem=False,
        ),
        2,
    )
    assert config == SlacConfig(
        interface="eth7",
        attenuation_offset_db=7,
        stand_in_attenuation=True,
        validation=False,
        slac_init_s=25.0,
        wake_retries=0,
        matching_runs=3,
        reset_dead_modem=False,
    )


def test_an_offset_per_group_is_taken_off_each() -> None:
    config = slac_config(settings(AttenuationOffset=",".join(map(str, range(58)))), 2)
    assert config is not None
    averaging = Averaging()
    averaging.add(bytes([30] * 58))
    result = averaging.result(config.attenuation_offset_db)
    assert result is not None
    assert result.groups_db == tuple(max(0, 30 - group) for group in range(58))


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("AttenuationOffset", "", "one whole number"),
        ("AttenuationOffset", "1,2", "one whole number"),
        ("AttenuationOffset", "-3", "one whole number"),
        ("AttenuationOffset", "seven", "one whole number"),
        ("AttenuationOffset", ",".join(["1"] * 59), "one whole number"),
        ("InitTimeout", 19.9, "below 20"),
        ("InitTimeout", 51, "above 50"),
        ("WakeUps", 1.5, "whole number"),
        ("MatchingRuns", 2, "below 3"),
        ("Validation", "perhaps", "neither true nor false"),
    ],
)
def test_nonsense_is_refused_in_words(name: str, value: object, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        settings(**{name: value})


def test_two_outlets_on_one_interface_are_refused_by_name() -> None:
    made = Settings.load(evses=3)
    for evse, url in ((1, "iface://eth1"), (2, "iface://eth2"), (3, "iface://eth1?x=1")):
        made.set_for_run("Plc", "Url", url, evse=evse)
    check_interfaces(made, (1, 2))
    with pytest.raises(SettingsError, match="outlets 1, 3 share eth1"):
        check_interfaces(made, (1, 2, 3))
    for evse in (1, 2, 3):
        made.set_for_run("Plc", "Url", "iface://eth1?slac=off", evse=evse)
    check_interfaces(made, (1, 2, 3))
