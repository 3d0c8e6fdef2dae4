"""Finding an interpreter and the mirror to fetch one from; nothing is downloaded here."""

import json
import os
import sys

import pytest

from vsecc_sim.mcu import fetch, interpreter
from vsecc_sim.mcu.fetch import Mirror, deb822_entries, find_mirror, one_line_entries
from vsecc_sim.mcu.interpreter import InterpreterUnavailable

DEB822 = """\
Types: deb deb-src
# a comment
URIs: http://deb.example.org/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://deb.example.org/debian-security
Suites: bookworm-security
Components: main
Enabled: no
"""


def test_deb822_stanzas_that_are_on_and_offer_main():
    entries = list(deb822_entries(DEB822))
    assert entries == [
        (
            ["bookworm", "bookworm-updates"],
            Mirror("http://deb.example.org/debian", "/usr/share/keyrings/debian-archive-keyring.gpg"),
        )
    ]


def test_deb822_inline_key_is_no_keyring_file():
    text = (
        "Types: deb\nURIs: http://m/debian\nSuites: sid\nComponents: main\nSigned-By:\n -----BEGIN\n .\n x\n"
    )
    assert list(deb822_entries(text)) == [(["sid"], Mirror("http://m/debian", None))]


def test_one_line_entries_with_options():
    text = (
        "# deb http://no.example.org/debian stable main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://m.example.org/debian bookworm main # note\n"
        "deb http://apt.example.org/ tool non-free\n"
    )
    assert list(one_line_entries(text)) == [(["bookworm"], Mirror("http://m.example.org/debian", "/k.gpg"))]


def test_mirror_is_the_first_main_archive_not_security_nor_third_party(tmp_path):
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "a-tool.list").write_text("deb http://apt.example.org/ bookworm-tool main\n")
    (folder / "debian.sources").write_text(DEB822)
    assert find_mirror(tmp_path) == Mirror(
        "http://deb.example.org/debian", "/usr/share/keyrings/debian-archive-keyring.gpg"
    )
    (tmp_path / "sources.list").write_text("deb http://first.example.org/debian stable main\n")
    mirror = find_mirror(tmp_path)
    assert mirror is not None and mirror.uri == "http://first.example.org/debian"


def test_no_mirror_without_sources(tmp_path):
    assert find_mirror(tmp_path) is None


def test_other_systems_get_a_reason(monkeypatch, tmp_path):
    monkeypatch.setattr(fetch.platform, "machine", lambda: "m68k")
    with pytest.raises(InterpreterUnavailable, match="m68k"):
        fetch.fetch_interpreter(lambda text: None)


def test_environment_names_the_interpreter_or_nothing_is_used(monkeypatch):
    monkeypatch.setenv("MICROPYTHON", sys.executable)
    assert interpreter.find_micropython() is None
    with pytest.raises(InterpreterUnavailable, match="MICROPYTHON"):
        fetch.ensure_micropython(lambda text: None)


def test_probe_tells_why(tmp_path):
    with pytest.raises(InterpreterUnavailable, match="does not start"):
        interpreter.probe((str(tmp_path / "absent"),), "path")
    with pytest.raises(InterpreterUnavailable, match="not MicroPython"):
        interpreter.probe((sys.executable,), "path")
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\necho micropython 1.19.1\n")
    old.chmod(0o755)
    with pytest.raises(InterpreterUnavailable, match=r"1\.22 or newer"):
        interpreter.probe((str(old),), "path")


def test_cache_entry_is_found_and_a_broken_one_is_not(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = interpreter.cache_folder() / "i386"
    (folder / "bin").mkdir(parents=True)
    program = folder / "bin" / "micropython"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    record = {"command": ["{folder}/bin/micropython"], "version": "1.25.0", "arch": "i386"}
    (folder / "interpreter.json").write_text(json.dumps(record))
    found = interpreter.cached("i386")
    assert found is not None
    assert found.argv("-c", "1") == [str(program), "-c", "1"]
    assert found.describe() == "MicroPython 1.25.0 i386 (cache)"
    os.unlink(program)
    assert interpreter.cached("i386") is None
    (folder / "interpreter.json").write_text("{")
    assert interpreter.cached("i386") is None


def test_architecture_is_read_from_the_binary(tmp_path):
    binary = tmp_path / "b"
    binary.write_bytes(b"\x7fELF" + bytes(14) + b"\x03\x00")
    assert interpreter.elf_architecture(binary) == "i386"
    binary.write_bytes(b"#!")
    assert interpreter.elf_architecture(binary) == "unknown"
