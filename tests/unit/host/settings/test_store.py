"""Layers, files and listeners of the settings store."""

from __future__ import annotations

import json
import os
import resource
import stat
from pathlib import Path

import pytest

from vsecc_host.settings import files
from vsecc_host.settings.markdown import replace_block, table
from vsecc_host.settings.store import Layer, Settings, SettingsError
from vsecc_host.settings.variable import Acts

DOCS = Path(__file__).parents[4] / "docs" / "settings.md"


@pytest.fixture
def write(tmp_path):
    def put(name, content):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
        return path

    return put


def entry(component, variable, value, **more):
    return {"component": component, "variable": variable, "value": value, **more}


# --- layers -------------------------------------------------------------------------------------------------


def test_defaults_are_neutral():
    settings = Settings.load()
    assert settings.get("ChargingStation", "Identity") == "vsecc-000000"
    assert settings.get("ChargingStation", "BaseUri") == ""
    assert settings.flag("OCPPCommCtrlr", "BackendComActivated") is False
    assert settings.flag("AuthCtrlr", "Enabled") is False
    assert settings.get("PowerElectronics", "Type", evse=2) == "Simulation"
    assert settings.get("EVSE", "EvseId", evse=2) == "DE*VSE*E2"
    assert settings.get("Connector", "DinChargingMode", evse=1) == "DC_extended"
    assert settings.get("Connector", "DinChargingMode", evse=1, connector=1) == "DC_extended"


def test_each_layer_covers_the_one_below(write, tmp_path):
    def identity(**sources):
        settings = Settings.load(**sources)
        return settings.get("ChargingStation", "Identity"), settings.layer(
            settings.key("ChargingStation", "Identity")
        )

    factory = write("factory.json", [entry("ChargingStation", "Identity", "oem")])
    config = write("vsecc.toml", '[ChargingStation]\nIdentity = "site"\n')
    assert identity() == ("vsecc-000000", Layer.DEFAULT)
    assert identity(factory=factory) == ("oem", Layer.FACTORY)
    assert identity(factory=factory, config=config) == ("site", Layer.CONFIGURATION)
    Settings.load(state_dir=tmp_path).set("ChargingStation", "Identity", "page")
    assert identity(factory=factory, config=config, state_dir=tmp_path) == ("page", Layer.OVERRIDE)


def test_a_value_for_this_run_covers_everything_and_is_not_kept(tmp_path):
    settings = Settings.load(state_dir=tmp_path)
    settings.set_for_run("Mcu", "Url", "tcp://127.0.0.1:1")
    settings.set_for_run("Plc", "Url", "iface://eth1", evse=2)
    settings.set_for_run("ChargingStation", "FirmwareVersion", "9.9")
    assert settings.text("Mcu", "Url") == "tcp://127.0.0.1:1"
    assert (settings.text("Plc", "Url", evse=1), settings.text("Plc", "Url", evse=2)) == (
        "sim://",
        "iface://eth1",
    )
    assert settings.text("ChargingStation", "FirmwareVersion") == "9.9"
    assert list(tmp_path.iterdir()) == []


def test_an_identity_follows_the_serial_number(write):
    factory = write("factory.json", [entry("ChargingStation", "SerialNumber", "4711")])
    assert Settings.load(factory=factory).text("ChargingStation", "Identity") == "vsecc-4711"


def test_without_an_outlet_an_entry_counts_for_all(write):
    factory = write(
        "factory.json",
        [entry("PowerElectronics", "Type", "Websocket"), entry("Cable", "MaxCurrent", "250", evse=2)],
    )
    settings = Settings.load(factory=factory)
    assert [settings.text("PowerElectronics", "Type", evse=n) for n in (1, 2)] == ["Websocket", "Websocket"]
    assert [settings.number("Cable", "MaxCurrent", evse=n) for n in (1, 2)] == [500.0, 250.0]


def test_toml_addresses_outlets(write):
    config = write(
        "vsecc.toml",
        '[evse.1.PowerElectronics]\nType = "Websocket"\n[evse.2.Cable]\nMaxVoltage = 500\n'
        '[ChargingCommunicationCtrlr]\nProtocols = ["din", "iso2"]\n[AuthCtrlr]\nEnabled = true\n',
    )
    settings = Settings.load(config=config)
    assert settings.text("PowerElectronics", "Type", evse=1) == "Websocket"
    assert settings.text("PowerElectronics", "Type", evse=2) == "Simulation"
    assert settings.number("Cable", "MaxVoltage", evse=2) == 500.0
    assert settings.members("ChargingCommunicationCtrlr", "Protocols") == ("din", "iso2")
    assert settings.flag("AuthCtrlr", "Enabled") is True


# --- what is wrong is said ----------------------------------------------------------------------------------


def test_unknown_entries_are_one_error_that_names_them_all(write):
    factory = write(
        "factory.json",
        [
            entry("AuthCtrlr", "Enabld", True),
            entry("Nonsense", "X", 1, evse=2),
            entry("AuthCtrlr", "Enabled", True, evse=1),
            entry("PowerElectronics", "Type", "Simulation", evse=3),
            entry("AuthCtrlr", "Enabled", True, instance="I", variableInstance="W"),
        ],
    )
    with pytest.raises(SettingsError) as caught:
        Settings.load(factory=factory)
    assert caught.value.problems == [
        f"{factory}: unknown settings: AuthCtrlr/Enabld, evse.2.Nonsense/X, evse.1.AuthCtrlr/Enabled, "
        "evse.3.PowerElectronics/Type, AuthCtrlr.I/Enabled#W"
    ]


def test_every_problem_of_every_file_is_listed(write):
    factory = write(
        "factory.json", [entry("AuthCtrlr", "Enabled", "maybe"), entry("Cable", "MaxVoltage", -1, evse=1)]
    )
    config = write("vsecc.toml", '[ChargingStation]\nModel = "other"\n')
    with pytest.raises(SettingsError) as caught:
        Settings.load(factory=factory, config=config)
    assert caught.value.problems == [
        f"{factory}: AuthCtrlr/Enabled: 'maybe' is neither true nor false",
        f"{factory}: evse.1.Cable/MaxVoltage: -1 is below 0",
        f"{config}: ChargingStation/Model is read-only",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting property name"),
        ("{}", "not a JSON list"),
        ("[5]", "entry 1 is not an object"),
        ('[{"component": "A", "variable": "B"}]', "entry 1 lacks value"),
        ('[5, {"component": "A"}]', "entry 1 is not an object; entry 2 lacks variable, value"),
        (
            '[{"component": "A", "variable": "B", "value": 1, "evse": "1"}]',
            "entry 1: evse has the wrong type",
        ),
        (
            '[{"component": "A", "variable": "B", "value": 1, "evse": true}]',
            "entry 1: evse has the wrong type",
        ),
        ('[{"component": "A", "variable": "B", "value": 1, "more": 1}]', "entry 1 has unknown keys: more"),
    ],
)
def test_a_broken_factory_file_is_explained(write, text, message):
    with pytest.raises(SettingsError, match=message):
        Settings.load(factory=write("factory.json", text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=", "Invalid"),
        ("Identity = 'x'", "Identity stands outside a table"),
        ("[evse.one.Cable]\nMaxVoltage = 5", "an outlet is a number"),
        ("[evse.1]\nMaxVoltage = 5", "stands outside a component"),
        (
            "[Nonsense.Instance]\nX = 5\n'Y#Z' = 5",
            "unknown settings: Nonsense.Instance/X, Nonsense.Instance/Y#Z",
        ),
    ],
)
def test_a_broken_configuration_file_is_explained(write, text, message):
    with pytest.raises(SettingsError, match=message):
        Settings.load(config=write("vsecc.toml", text))


def test_a_missing_file_is_a_problem_not_a_traceback(tmp_path):
    with pytest.raises(SettingsError, match="No such file"):
        Settings.load(factory=tmp_path / "none.json")


def test_undeclared_variables_and_wrong_kinds_are_mistakes():
    settings = Settings.load()
    with pytest.raises(KeyError, match="AuthCtrlr/Nonsense"):
        settings.get("AuthCtrlr", "Nonsense")
    with pytest.raises(KeyError):
        settings.get("PowerElectronics", "Type")
    with pytest.raises(TypeError):
        settings.flag("ChargingStation", "Identity")
    with pytest.raises(TypeError):
        settings.number("AuthCtrlr", "Enabled")


# --- changes ------------------------------------------------------------------------------------------------


def test_a_change_is_kept_and_says_when_it_acts(tmp_path):
    settings = Settings.load(state_dir=tmp_path)
    assert settings.set("AuthCtrlr", "Enabled", "true") is Acts.NEXT_SESSION
    assert settings.set("PowerElectronics", "Type", "Websocket", evse=2) is Acts.RESTART
    again = Settings.load(state_dir=tmp_path)
    assert again.flag("AuthCtrlr", "Enabled") is True
    assert again.text("PowerElectronics", "Type", evse=2) == "Websocket"
    assert again.text("PowerElectronics", "Type", evse=1) == "Simulation"


def test_a_wrong_change_changes_nothing(tmp_path):
    settings = Settings.load(state_dir=tmp_path)
    for component, variable, value in (
        ("DefaultChargingProfile", "Unit", "kW"),
        ("ChargingStation", "Model", "other"),
        ("AuthCtrlr", "Enabled", 3),
    ):
        with pytest.raises(SettingsError):
            settings.set(component, variable, value)
    assert list(tmp_path.iterdir()) == []


def test_listeners_hear_real_changes_only():
    settings = Settings.load()
    heard = []
    stop = settings.listen(heard.append)
    settings.set("AuthCtrlr", "Enabled", False)
    settings.set("AuthCtrlr", "Enabled", True)
    settings.set_for_run("Mcu", "Url", "pty:///x")
    stop()
    settings.set("AuthCtrlr", "Enabled", False)
    assert [(str(x.key), x.before, x.value, x.variable.acts) for x in heard] == [
        ("AuthCtrlr/Enabled", False, True, Acts.NEXT_SESSION),
        ("Mcu/Url", "serial:///dev/ttyACM0?baud=921600", "pty:///x", Acts.RESTART),
    ]


def test_a_covered_change_is_not_announced():
    settings = Settings.load()
    settings.set_for_run("Mcu", "Url", "pty:///x")
    heard = []
    settings.listen(heard.append)
    settings.set("Mcu", "Url", "pty:///y")
    assert heard == []
    assert settings.text("Mcu", "Url") == "pty:///x"


def test_reset_goes_back_to_the_factory(write, tmp_path):
    factory = write("factory.json", [entry("ChargingStation", "Identity", "oem")])
    settings = Settings.load(factory=factory, state_dir=tmp_path)
    settings.set("ChargingStation", "Identity", "mine")
    heard = []
    settings.listen(heard.append)
    settings.reset()
    assert settings.text("ChargingStation", "Identity") == "oem"
    assert [x.value for x in heard] == ["oem"]
    assert Settings.load(factory=factory, state_dir=tmp_path).text("ChargingStation", "Identity") == "oem"


# --- export -------------------------------------------------------------------------------------------------


def test_an_export_is_a_factory_file(write, tmp_path):
    settings = Settings.load()
    settings.set("Cable", "MaxCurrent", 250, evse=2)
    settings.set("Connector", "LockEnabled", True, evse=1)
    changed = settings.export(changed_only=True)
    assert changed == [
        {"component": "Connector", "evse": 1, "connector": 1, "variable": "LockEnabled", "value": True},
        {"component": "Cable", "evse": 2, "variable": "MaxCurrent", "value": 250.0},
    ]
    copy = Settings.load(factory=write("factory.json", settings.export()))
    assert copy.export() == settings.export()


def test_secrets_are_not_exported():
    settings = Settings.load()
    settings.set("SecurityCtrlr", "BasicAuthPassword", "hunter2")
    assert "hunter2" not in json.dumps(settings.export())
    assert settings.text("SecurityCtrlr", "BasicAuthPassword") == "hunter2"


# --- disk ---------------------------------------------------------------------------------------------------


def test_a_corrupt_file_is_reported_and_kept_aside(tmp_path):
    (tmp_path / files.OVERRIDES).write_text('[{"component": "Auth')
    settings = Settings.load(state_dir=tmp_path)
    assert settings.flag("AuthCtrlr", "Enabled") is False
    assert len(settings.problems) == 1
    assert "unreadable" in settings.problems[0]
    assert (tmp_path / "settings.json.corrupt").read_text() == '[{"component": "Auth'
    settings.set("AuthCtrlr", "Enabled", True)
    assert Settings.load(state_dir=tmp_path).problems == []


def test_a_corrupt_file_that_cannot_be_moved_stops_nothing(tmp_path):
    (tmp_path / files.OVERRIDES).write_text("[" * 100_000)
    (tmp_path / "settings.json.corrupt" / "in the way").mkdir(parents=True)
    settings = Settings.load(state_dir=tmp_path)
    (problem,) = settings.problems
    assert "nested too deep" in problem and "left there (Is a directory)" in problem
    assert settings.flag("AuthCtrlr", "Enabled") is False


def test_an_override_of_another_release_is_reported_and_the_rest_counts(tmp_path):
    rows = [entry("Gone", "X", 1), entry("AuthCtrlr", "Enabled", True)]
    (tmp_path / files.OVERRIDES).write_text(json.dumps(rows))
    settings = Settings.load(state_dir=tmp_path)
    assert settings.flag("AuthCtrlr", "Enabled") is True
    assert settings.problems == [f"{tmp_path / files.OVERRIDES}: unknown settings: Gone/X"]


def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path, monkeypatch):
    settings = Settings.load(state_dir=tmp_path)
    settings.set("ChargingStation", "Identity", "old")

    def no_space(_fd):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(OSError, match="no space"):
        settings.set("ChargingStation", "Identity", "new")
    monkeypatch.undo()
    assert settings.text("ChargingStation", "Identity") == "old"
    assert Settings.load(state_dir=tmp_path).text("ChargingStation", "Identity") == "old"


@pytest.fixture
def full_disk():
    """No file may grow beyond 100 bytes, as if nothing were left."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_full_disk_changes_nothing_and_is_not_filled_further(tmp_path, full_disk):
    settings = Settings.load(state_dir=tmp_path)
    settings.set("AuthCtrlr", "Enabled", True)
    with pytest.raises(OSError, match="too large"):
        settings.set("ChargingStation", "Identity", "x" * 200)
    assert settings.text("ChargingStation", "Identity") != "x" * 200
    assert [path.name for path in tmp_path.iterdir()] == [files.OVERRIDES]
    assert Settings.load(state_dir=tmp_path).flag("AuthCtrlr", "Enabled") is True


def test_a_reset_that_cannot_be_kept_is_none(tmp_path):
    settings = Settings.load(state_dir=tmp_path)
    settings.set("AuthCtrlr", "Enabled", True)
    (tmp_path / "settings.json.corrupt").mkdir()
    with pytest.raises(OSError, match=r"settings\.json\.corrupt"):
        settings.reset()
    assert settings.flag("AuthCtrlr", "Enabled") is True
    assert Settings.load(state_dir=tmp_path).flag("AuthCtrlr", "Enabled") is True


def test_only_the_owner_may_read_what_may_hold_a_password(tmp_path):
    (tmp_path / "settings.json.new").write_text("left by a power cut")
    (tmp_path / "settings.json").write_text("[]")
    settings = Settings.load(state_dir=tmp_path)
    settings.set("SecurityCtrlr", "BasicAuthPassword", "hunter2")
    assert stat.S_IMODE((tmp_path / "settings.json").stat().st_mode) == 0o600


def test_the_state_directory_is_made_when_needed(tmp_path):
    settings = Settings.load(state_dir=tmp_path / "a" / "b")
    settings.set("AuthCtrlr", "Enabled", True)
    assert (tmp_path / "a" / "b" / files.OVERRIDES).exists()


# --- documentation ------------------------------------------------------------------------------------------


def test_documentation_is_current():
    text = DOCS.read_text(encoding="utf-8")
    assert replace_block(text, table()) == text, (
        "run: python -m vsecc_host.settings.markdown docs/settings.md"
    )
