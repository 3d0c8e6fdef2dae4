"""ELF files: a real interpreter, one from the system's compiler, an ARM one written here, and broken ones."""

from __future__ import annotations

import json
import random
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from vsecc_cli.main import main
from vsecc_mcu.elf import BadElf, read
from vsecc_sim.mcu.interpreter import find_micropython

FLASH_AT, RAM_AT = 0x10000000, 0x20000000


def arm_elf(*, arch: int = 11, text_bytes: int = 0x200, bss_bytes: int = 0x1000) -> bytes:
    """A program for an RP2 chip: code in flash, data copied to RAM, zeroed memory, three names."""
    text, data = b"\xc0\x46" * (text_bytes // 2), b"\x01\x02\x03\x04" * 4
    sub = b"\x06" + bytes([arch])
    file_scope = b"\x01" + struct.pack("<I", 5 + len(sub)) + sub
    vendor = b"aeabi\0" + file_scope
    attributes = b"A" + struct.pack("<I", 4 + len(vendor)) + vendor
    names = b"\0" + b"\0".join([b"mp_execute_bytecode", b"gc_collect", b"mp_state_ctx"]) + b"\0"
    symbols = b"\0" * 16 + b"".join(
        struct.pack("<IIIBBH", names.index(name), value, size, 1 << 4 | kind, 0, section)
        for name, value, size, kind, section in (
            (b"mp_execute_bytecode", FLASH_AT + 0x101, 0x60, 2, 1),
            (b"gc_collect", FLASH_AT + 0x161, 0x20, 2, 1),
            (b"mp_state_ctx", RAM_AT + 16, 64, 1, 3),
        )
    )
    titles = [b"", b".text", b".data", b".bss", b".ARM.attributes", b".symtab", b".strtab", b".shstrtab"]
    shstr = b"\0".join(titles[:1]) + b"\0" + b"\0".join(titles[1:]) + b"\0"
    offset, at = 52 + 3 * 32, {}
    parts = {"text": text, "data": data, "attr": attributes, "sym": symbols, "str": names, "shstr": shstr}
    for key, content in parts.items():
        at[key] = (offset, len(content))
        offset += len(content)
    header = (
        b"\x7fELF\x01\x01\x01"
        + b"\0" * 9
        + struct.pack(
            "<HHIIIIIHHHHHH", 2, 40, 1, FLASH_AT + 0x101, 52, offset, 0x05000200, 52, 32, 3, 40, 8, 7
        )
    )
    programs = b"".join(
        struct.pack("<IIIIIIII", 1, at_file, virtual, load, filed, memory, flags, 4)
        for at_file, virtual, load, filed, memory, flags in (
            (at["text"][0], FLASH_AT, FLASH_AT, len(text), len(text), 5),
            (at["data"][0], RAM_AT, FLASH_AT + len(text), len(data), len(data), 6),
            (at["data"][0], RAM_AT + 16, RAM_AT + 16, 0, bss_bytes, 6),
        )
    )
    rows = (
        (0, 0, 0, 0, 0, 0, 0, 0),
        (1, 1, 6, FLASH_AT, *at["text"], 0, 0),
        (2, 1, 3, RAM_AT, *at["data"], 0, 0),
        (3, 8, 3, RAM_AT + 16, at["data"][0], bss_bytes, 0, 0),
        (4, 0x70000003, 0, 0, *at["attr"], 0, 0),
        (5, 2, 0, 0, *at["sym"], 6, 16),
        (6, 3, 0, 0, *at["str"], 0, 0),
        (7, 3, 0, 0, *at["shstr"], 0, 0),
    )
    sections = b""
    for n, kind, flags, address, where, size, link, entry in rows:
        title = shstr.index(b"\0" + titles[n]) + 1 if n else 0
        sections += struct.pack("<10I", title, kind, flags, address, where, size, link, 1, 4, entry)
    return header + programs + text + data + attributes + symbols + names + shstr + sections


def written(folder: Path, content: bytes) -> Path:
    path = folder / "firmware.elf"
    path.write_bytes(content)
    return path


def test_arm_firmware_tells_chip_sizes_and_names(tmp_path: Path) -> None:
    firmware = read(written(tmp_path, arm_elf()))
    assert (firmware.machine, firmware.chip) == ("ARM", "rp2040")
    assert (firmware.flash_bytes, firmware.ram_bytes) == (0x200 + 16, 16 + 0x1000)
    names = {a: firmware.place(a).describe() for a in (FLASH_AT + 0x123, FLASH_AT + 0x160, FLASH_AT + 0x181)}
    assert names[FLASH_AT + 0x123].endswith("mp_execute_bytecode+0x22")
    assert names[FLASH_AT + 0x160].endswith("gc_collect+0x0"), "the Thumb bit is no part of an address"
    assert names[FLASH_AT + 0x181].endswith(".text, no symbol")
    assert firmware.place(RAM_AT + 20).symbol == "mp_state_ctx"
    assert firmware.place(0xE000ED28).section is None
    assert read(written(tmp_path, arm_elf(arch=17))).chip == "rp2350"


def test_command_compares_with_the_chip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(written(tmp_path, arm_elf()))
    assert main(["mcu", "elf", path, "--address", "0x10000123", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ram"] == {"used": 0x1010, "of": 264 * 1024} and report["fits"]
    assert report["addresses"][0]["symbol"] == "mp_execute_bytecode"
    assert main(["mcu", "elf", str(written(tmp_path, arm_elf(bss_bytes=300 * 1024)))]) == 1
    assert "of 270336 (114 %)" in capsys.readouterr().out
    assert main(["mcu", "elf", path, "--chip", "rp2350"]) == 0


def test_real_interpreter_is_read() -> None:
    found = find_micropython()
    if found is None:
        pytest.skip("no MicroPython here")
    firmware = read(Path(shutil.which(found.command[-1]) or found.command[-1]))
    sizes = {section.name: section.size for section in firmware.sections}
    assert sizes[".text"] > 100_000 and sizes[".bss"] > 0
    assert firmware.flash_bytes > sizes[".text"] and firmware.chip is None
    for symbol in firmware.symbols:
        if symbol.size > 8:
            assert firmware.place(symbol.address + 4).offset == 4
    assert firmware.symbols


def test_debugging_information_names_the_line(tmp_path: Path) -> None:
    if not shutil.which("gcc"):
        pytest.skip("no compiler here")
    (tmp_path / "fault.c").write_text("int last;\nint fail(int x)\n{\n  last = x;\n  return *(int *)0;\n}\n")
    (tmp_path / "main.c").write_text("int fail(int); int main(void) { return fail(1); }\n")
    files = [str(tmp_path / name) for name in ("f", "fault.c", "main.c")]
    subprocess.run(["gcc", "-g", "-no-pie", "-o", *files], check=True)
    firmware = read(tmp_path / "f")
    start = next(symbol for symbol in firmware.symbols if symbol.name == "fail")
    lines = {firmware.place(start.address + offset).line for offset in range(start.size)}
    assert {"fault.c:3", "fault.c:4", "fault.c:5", "fault.c:6"} <= lines


@pytest.mark.parametrize("seed", range(60))
def test_broken_files_are_refused_in_one_line(tmp_path: Path, seed: int) -> None:
    content, chance = bytearray(arm_elf()), random.Random(seed)
    if seed % 3 == 0:
        del content[chance.randrange(len(content)) :]
    for _ in range(0 if seed % 3 == 0 else 20):
        content[chance.randrange(len(content) if seed % 3 == 1 else 160)] = chance.randrange(256)
    path = written(tmp_path, bytes(content))
    problem = ""
    try:
        read(path).place(FLASH_AT + 0x120)
    except BadElf as error:
        problem = str(error)
    assert "\n" not in problem and (not problem or str(path) in problem)


def test_what_is_no_elf_is_one_line_for_the_user(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x").write_bytes(b"UF2\n" * 100)
    assert main(["mcu", "elf", str(tmp_path / "x")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["mcu", "elf", str(tmp_path / "none")]) == 1
