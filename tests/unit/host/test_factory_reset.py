"""The factory-reset button without a station: when it counts, what waits, what is told."""

import json
import logging

import pytest

from vsecc_host.factory_reset import LED_AT_WORK, LED_DONE, LED_FAILED, LED_OF_MCU, FactoryReset
from vsecc_host.settings.store import Settings
from vsecc_host.station.events import ButtonHeld

CAUSE = 7


class Scene:
    """A button over real settings in a folder."""

    def __init__(self, folder):
        self.file = folder / "settings.json"
        self.settings = Settings.load(state_dir=folder)
        self.stopped, self.lights, self.timers = [], [], []
        self.reset = FactoryReset(
            self.settings,
            stop=lambda evse, who, cause: self.stopped.append((evse, who)),
            show=lambda pattern, cause: self.lights.append(pattern),
            later=lambda seconds, work: self.timers.append(work),
        )

    def hold(self, held_ms=5001, *, pressed=True, in_session=()):
        self.reset.button(ButtonHeld(at=0.0, held_ms=held_ms, pressed=pressed), in_session, CAUSE)

    def kept(self):
        return json.loads(self.file.read_text())


@pytest.fixture
def scene(tmp_path):
    scene = Scene(tmp_path)
    scene.settings.set("ChargingStation", "MaxPower", 40_000.0)
    scene.settings.set("SecurityCtrlr", "BasicAuthPassword", "sesame open!")
    scene.settings.set("AuthCtrlr", "Enabled", True)
    return scene


def test_five_seconds_bring_every_value_back_for_good(scene, tmp_path, caplog):
    aside = tmp_path / "settings.json.corrupt"
    aside.write_text("an old password")
    with caplog.at_level(logging.WARNING):
        scene.hold()
    assert scene.kept() == [] and scene.settings.number("ChargingStation", "MaxPower") == 1_000_000.0
    assert scene.settings.text("SecurityCtrlr", "BasicAuthPassword") == ""
    assert not aside.exists()
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == (
        "factory reset: 3 values back; acting now: ChargingStation/MaxPower; "
        "acting with the next session: AuthCtrlr/Enabled; "
        "acting after a restart: SecurityCtrlr/BasicAuthPassword"
    )
    assert scene.lights == [LED_AT_WORK, LED_DONE]
    scene.timers.pop()()
    assert scene.lights[-1] == LED_OF_MCU


@pytest.mark.parametrize(("held_ms", "pressed"), [(4999, True), (4999, False), (9000, False), (0, True)])
def test_a_short_press_and_a_release_do_nothing(scene, held_ms, pressed):
    scene.hold(held_ms, pressed=pressed)
    assert len(scene.kept()) == 3 and scene.lights == []


def test_sessions_end_first_and_a_second_press_changes_nothing(scene):
    scene.hold(in_session=[2, 1])
    scene.hold(in_session=[2, 1])
    assert scene.stopped == [(1, "factory reset"), (2, "factory reset")]
    scene.reset.session_over(2, CAUSE)
    assert len(scene.kept()) == 3 and scene.lights == [LED_AT_WORK]
    scene.reset.session_over(1, CAUSE)
    assert scene.kept() == [] and scene.lights == [LED_AT_WORK, LED_DONE]
    scene.reset.session_over(1, CAUSE)
    assert len(scene.timers) == 1


def test_the_light_of_an_earlier_press_does_not_end_a_later_one(scene):
    scene.hold()
    scene.hold(in_session=[1])
    scene.timers.pop(0)()
    assert scene.lights == [LED_AT_WORK, LED_DONE, LED_AT_WORK]


def test_what_cannot_be_written_stays_as_it_was(scene, caplog):
    (scene.file.with_name(scene.file.name + ".new")).mkdir()
    scene.hold()
    assert scene.settings.number("ChargingStation", "MaxPower") == 40_000.0 and len(scene.kept()) == 3
    assert scene.lights == [LED_AT_WORK, LED_FAILED]
    assert "factory reset failed, nothing was changed" in caplog.text


def test_nothing_to_bring_back_is_said_too(tmp_path, caplog):
    Scene(tmp_path).hold()
    assert "factory reset: no value differed from its factory value" in caplog.text
