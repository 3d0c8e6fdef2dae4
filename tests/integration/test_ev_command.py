"""`vsecc sim ev` as a user runs it, against a charger in another thread, in real time."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.tools.ev.charger import PaperCharger
from unit.tools.ev.charger_iso2 import Iso2PaperCharger
from unit.tools.ev.loopback import LoopbackCharger

from vsecc_cli.main import main

QUICK = """
soc_percent = 50
target_soc_percent = 51
capacity_wh = 100
[changes]
think_jitter_ms = 0.0
[changes.discovery]
delay_s = 0.0
connect_s = 0.0
interval_s = 0.02
attempts = 5
[changes.think_ms]
default = 5.0
cable_check = 5.0
current_demand_repeat = 20.0
[changes.checks]
trust = "reported"
[changes.charging]
ramp_a_per_s = 500.0
[changes.patience]
current_demand_s = 2.0
"""


@pytest.fixture
def charger_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A charger in a thread of its own, so that the command can own its loop."""
    up, urls = threading.Event(), list[str]()
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with LoopbackCharger(kind=getattr(request, "param", PaperCharger)) as world:
            urls.append(world.url)
            up.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert up.wait(10)
    yield urls[0]
    loop.call_soon_threadsafe(over.set)
    thread.join(10)
    loop.close()


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "quick.toml"
    path.write_text(QUICK)
    return path


def test_a_session_ends_with_its_goal(
    charger_url: str, scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sim", "ev", "--connect", charger_url, "--scenario", str(scenario)]) == 0
    out = capsys.readouterr().out
    for phase in ("connected", "setup", "cable_check", "pre_charge", "charging", "stopping", "finished"):
        assert phase in out
    assert "goal reached: charged" in out


def test_json_is_the_only_line_on_stdout(
    charger_url: str, scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["sim", "ev", "--connect", charger_url, "--scenario", str(scenario), "--soc", "40", "--json"]
    assert main([*args, "--target-soc", "40.5", "--profile", "model-y"]) == 0
    captured = capsys.readouterr()
    table = json.loads(captured.out)
    assert (table["profile"], table["end"], table["goal"], table["soc_start"]) == (
        "model-y",
        "charged",
        True,
        40,
    )
    assert table["answers"]["count"] > 10
    assert "charging" in captured.err


@pytest.mark.parametrize("charger_url", [Iso2PaperCharger], indirect=True)
def test_pause_and_renegotiation_from_the_command_line(
    charger_url: str, scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["sim", "ev", "--connect", charger_url, "--scenario", str(scenario), "--protocol", "iso2"]
    args += ["--pause-after", "1", "--resume-after", "1.5", "--renegotiate-after", "3", "--json"]
    assert main([*args, "--capacity", "1500", "--target-soc", "55"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert (table["protocol"], table["end"], table["rounds"]) == ("iso2", "charged", 2)


def test_misbehaviour_from_the_command_line(
    charger_url: str, scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["sim", "ev", "--connect", charger_url, "--scenario", str(scenario), "--json"]
    args += ["--misbehave", "pre_charge:stall,for_s=0.1", "--misbehave", "current_demand:disconnect,nth=3"]
    assert main(args) == 1
    table = json.loads(capsys.readouterr().out)
    assert (table["end"], table["detail"]) == ("misbehaved", "disconnect at current_demand")
    assert len(table["phases"]) > 4


def test_a_wish_for_tls_from_the_command_line(
    charger_url: str, scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = ["sim", "ev", "--connect", charger_url, "--scenario", str(scenario), "--protocol", "iso2"]
    assert main([*args, "--tls", "insist"]) == 1
    assert "the charger offers no TLS" in capsys.readouterr().out


@pytest.mark.parametrize("charger_url", [Iso2PaperCharger], indirect=True)
def test_a_session_in_iso2_with_a_pause(
    charger_url: str, scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario.write_text("pause_after_s = 1.0\nresume_after_s = 1.5\n" + QUICK)
    args = ["sim", "ev", "--connect", charger_url, "--scenario", str(scenario), "--protocol", "iso2"]
    assert main([*args, "--capacity", "1000", "--target-soc", "55", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert (table["protocol"], table["end"], table["rounds"]) == ("iso2", "charged", 2)


def test_a_pause_in_din_is_told_and_not_done(
    charger_url: str, scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario.write_text("pause_after_s = 1.0\nresume_after_s = 1.1\n" + QUICK)
    args = ["sim", "ev", "--connect", charger_url, "--scenario", str(scenario), "--capacity", "1000"]
    assert main([*args, "--target-soc", "54"]) == 0
    out = capsys.readouterr().out
    assert "not done: DIN SPEC 70121 knows no pause" in out
    assert "not done: not paused" in out
    assert "goal reached: charged, din," in out


def test_a_missed_goal_is_exit_status_1(
    charger_url: str, scenario: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario.write_text(QUICK + '[[misbehave]]\nat = "pre_charge"\ndo = "disconnect"\n')
    assert main(["sim", "ev", "--connect", charger_url, "--scenario", str(scenario)]) == 1
    assert "goal missed: misbehaved" in capsys.readouterr().out


def test_nobody_there(scenario: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "ev", "--connect", "sdp://[::1]:9", "--scenario", str(scenario)]) == 1
    assert "no_sdp_answer" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--connect", "tcp://x"], "expected iface://NAME or sdp://"),
        (["--connect", "iface://no-such-if"], "vsecc:"),
        (["--connect", "sdp://[::1]:9", "--profile", "trabant"], "no profile trabant"),
        (["--connect", "sdp://[::1]:9", "--protocol", "iso20"], "no protocol iso20; there are din, iso2"),
        (["--connect", "sdp://[::1]:9", "--profile", "iso2-tls", "--protocol", "din"], "insists on TLS"),
        (["--connect", "sdp://[::1]:9", "--profile", "iso2-tls", "--v2g-root", "/no/such"], "vsecc:"),
        (["--connect", "sdp://[::1]:9", "--tls", "perhaps"], "must be one of off, try, insist"),
        (["--connect", "sdp://[::1]:9", "--misbehave", "stall"], "expected STEP:DO"),
        (["--connect", "sdp://[::1]:9", "--scenario", "/no/such/file"], "No such file"),
    ],
)
def test_mistakes_are_one_line_on_stderr(
    args: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sim", "ev", *args]) == 1
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1


def test_a_car_without_an_address_is_a_usage_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "ev"]) == 2
    assert capsys.readouterr().err == "vsecc: --connect is needed: iface://eth1 or sdp://[::1]:PORT\n"


def test_the_list_of_profiles(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "ev", "--list"]) == 0
    out = capsys.readouterr().out
    assert "ioniq          Hyundai Ioniq 28 kWh (ends charged)" in out
    assert "iso2-tls       ISO 15118-2 over TLS only, 60 kWh (ends charged)" in out
