"""`vsecc pki`: files, modes, never overwriting."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from unit.host.pki.made import files

from vsecc_cli.main import main


def test_the_lay_out_and_the_modes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pki", "--out", str(tmp_path / "p"), "--json", "--days", "5"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == str(tmp_path / "p")
    written = sorted(path.relative_to(tmp_path / "p").as_posix() for path in (tmp_path / "p").rglob("*.*"))
    assert written == sorted(file.path for file in files()) == sorted(x["path"] for x in told["files"])
    for entry in told["files"]:
        mode = stat.S_IMODE((tmp_path / "p" / entry["path"]).stat().st_mode)
        assert mode == (0o600 if entry["private"] else 0o644)


def test_nothing_is_overwritten_without_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "v2g" / "root.pem"
    kept.parent.mkdir()
    kept.write_text("mine")
    assert main(["pki", "--out", str(tmp_path)]) == 1
    assert "already holds 1 of these files (v2g/root.pem, ...)" in capsys.readouterr().err
    assert kept.read_text() == "mine" and list(tmp_path.rglob("*.*")) == [kept]
    assert main(["pki", "--out", str(tmp_path), "--force"]) == 0
    assert "BEGIN CERTIFICATE" in kept.read_text()


@pytest.mark.parametrize("days", ["0", "366", "x"])
def test_a_wrong_number_of_days_is_named(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["pki", "--days", days])
    assert "is not a number from 1 to 365" in capsys.readouterr().err
