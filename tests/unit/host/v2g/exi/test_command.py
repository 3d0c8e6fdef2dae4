"""`vsecc exi`: a line in, a line out, and on after a bad one."""

from __future__ import annotations

import argparse
import io
import json

import pytest

from vsecc_cli import exi


def run(monkeypatch: pytest.MonkeyPatch, arguments: list[str], lines: str) -> int:
    parser = argparse.ArgumentParser()
    exi.add_parser(parser.add_subparsers())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))
    args = parser.parse_args(["exi", *arguments])
    status: int = args.run(args)
    return status


def test_decode_and_encode_are_inverse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "809a004011d018004488cd115400"
    assert run(monkeypatch, ["decode", "--protocol", "din"], text + "\n") == 0
    document = capsys.readouterr().out
    assert json.loads(document)["V2G_Message"]["Body"] == {"SessionSetupReq": {"EVCCID": "001122334455"}}
    assert run(monkeypatch, ["encode", "--protocol", "din"], document) == 0
    assert capsys.readouterr().out == text + "\n"


def test_fragments(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = "80040152510c40829b7b6b2902930b73237b6902230ba309e8"
    assert run(monkeypatch, ["decode", "--protocol", "iso2", "--fragment"], text) == 0
    assert json.loads(capsys.readouterr().out)["AuthorizationReq"]["Id"] == "ID1"


def test_a_bad_line_is_named_and_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = "809a0040\n\nxyz\n809a004011d018004488cd115400\n"
    assert run(monkeypatch, ["decode", "--protocol", "din"], lines) == 1
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer.get("bit") for answer in answers[:3]] == [32, 0, None]
    assert all("error" in answer for answer in answers[:3])
    assert "V2G_Message" in answers[3]


@pytest.mark.parametrize("line", ["[]", "{", "[" * 100_000, '{"V2G_Message": {"Header": {}, "Body": {}}}'])
def test_bad_json_is_an_error_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    assert run(monkeypatch, ["encode", "--protocol", "din"], line) == 1
    assert "error" in json.loads(capsys.readouterr().out)
