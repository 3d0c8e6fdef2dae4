"""What holds for every command: help with an example, exit status, one line on stderr."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from vsecc_cli import main as program
from vsecc_cli import numbers, run
from vsecc_cli.main import COMMANDS, main

COMMAND_LINES = [" ".join(words) for words in COMMANDS]


@pytest.mark.parametrize("command", COMMAND_LINES)
def test_help_has_an_example_of_this_command(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"vsecc {command}" in told.partition("example")[2]


@pytest.mark.parametrize(
    "command", ["", "nothing", "sim", "sim nothing", *(f"{c} --what" for c in COMMAND_LINES)]
)
def test_a_usage_error_is_status_2(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    assert ended.value.code == 2
    assert "error: " in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("run --config /nowhere.toml", "/nowhere.toml: [Errno 2] No such file"),
        ("replay /nowhere.json", "No such file or directory: '/nowhere.json'"),
        ("sim mcu --scenario /nowhere.toml", "No such file or directory: '/nowhere.toml'"),
        ("sim mcu --listen ftp://x", "ftp://x"),
        ("sim ev --connect sdp://[::1]:1 --profile trabant", "no profile trabant"),
        ("sim station --csms ws://csms --control 127.0.0.1:0", "no OCPP yet"),
        ("sim station --identity me", "no OCPP yet"),
        ("sim station --control here", "--control takes HOST:PORT, not here"),
        ("sim station --powerline --plc sim://", "exclude each other"),
        ("sim station --plc sim:// --plc sim:// --plc sim://", "3 URLs for 2 outlets"),
        ("sim station --pecc-scenario x.toml", "--pecc sim://pep"),
        ("sim station --pep-version 1.4", "--pecc"),
        ("sim station --virtual-time --interpreter micropython", "real time only"),
        ("sim station --factory /nowhere.json --control 127.0.0.1:0 --interpreter cpython", "No such file"),
        ("demo --once --profile trabant", "no profile trabant; there are"),
        ("demo --once --trace x.csv", "a trace ends in .pcapng, .json, .svg, .txt"),
        ("demo --once --trace /nowhere/x.svg", "No such file or directory: '/nowhere/x.svg'"),
    ],
)
def test_a_failure_is_one_line_and_status_1(
    words: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("vsecc: ") and told in line


@pytest.mark.parametrize(
    "place", [["-v", "run", "--config", "/nowhere.toml"], ["run", "--config", "/nowhere.toml", "-v"]]
)
def test_verbose_shows_the_traceback_wherever_it_stands(
    place: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(place) == 1
    lines = capsys.readouterr().err.splitlines()
    assert "Traceback (most recent call last):" in lines
    assert lines[-1].startswith("vsecc: ")


def test_a_mistake_of_ours_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(args: argparse.Namespace) -> int:
        raise KeyError("a\nb")

    monkeypatch.setattr(run, "run", broken)
    assert main(["run"]) == 1
    assert capsys.readouterr().err == "vsecc: KeyError: 'a\\nb' (a mistake of ours; -v shows where)\n"


def test_unknown_factory_entries_are_all_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    factory = tmp_path / "factory.json"
    factory.write_text(
        '[{"component": "Gone", "variable": "X", "value": 1},'
        ' {"component": "AuthCtrlr", "variable": "Enabled", "value": true},'
        ' {"component": "AuthCtrlr", "evse": 3, "variable": "Enabld", "value": 1}]'
    )
    words = [
        "sim",
        "station",
        "--control",
        "127.0.0.1:0",
        "--interpreter",
        "cpython",
        "--factory",
        str(factory),
    ]
    assert main(words) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"vsecc: {factory}: unknown settings: Gone/X, evse.3.AuthCtrlr/Enabld"


def test_only_the_module_asked_for_is_imported() -> None:
    assert program.wanted_command(["sim", "ev", "--list"]) == ["sim", "ev"]
    assert program.wanted_command(["nothing"]) == []
    assert set(program.build_parser(["exi"])._subparsers._group_actions[0].choices) == {"exi"}  # type: ignore[union-attr,arg-type]


@pytest.mark.parametrize(
    ("reader", "text", "value"),
    [(numbers.seconds, "0", 0.0), (numbers.percent, "99.5", 99.5), (numbers.watt_hours, "400", 400.0)],
)
def test_numbers_are_read(reader: object, text: str, value: float) -> None:
    assert reader(text) == value  # type: ignore[operator]
    assert numbers.count("12") == 12


@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1e400", "x", "", "²"])
@pytest.mark.parametrize("reader", [numbers.seconds, numbers.percent, numbers.watt_hours, numbers.count])
def test_what_is_no_such_number_is_refused(reader: object, text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        reader(text)  # type: ignore[operator]


@pytest.mark.parametrize(
    "words", ["demo --battery 0", "demo --battery nan", "demo --sessions 0", "demo --once --sessions 2"]
)
def test_a_demo_that_makes_no_sense_is_not_begun(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2
