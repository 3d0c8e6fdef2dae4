"""Reads a firmware ELF (the interpreter of the chip): what it takes of flash and RAM, names of addresses."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

from elftools.dwarf.lineprogram import LineProgram
from elftools.elf.constants import P_FLAGS, SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import ARMAttributesSection, SymbolTableSection


class BadElf(ValueError):
    """The file is no ELF, or a broken one."""


@dataclass(frozen=True, slots=True)
class Chip:
    """Where a chip has its memory, and how much of its flash the files leave to the interpreter."""

    name: str
    flash_bytes: int
    ram_bytes: int
    ram_at: int = 0x20000000


# By the architecture that the ELF names: v6-M is the RP2040's, v8-M the RP2350's.
CHIPS = {
    "rp2040": Chip("RP2040 on a Pico", 640 * 1024, 264 * 1024),
    "rp2350": Chip("RP2350 on a Pico 2", 1024 * 1024, 520 * 1024),
}
_CHIP_OF_ARCH = {11: "rp2040", 12: "rp2040", 16: "rp2350", 17: "rp2350", 21: "rp2350"}
HEADERS_MAX = 10_000  # a broken count must not keep us for hours
_ARM = "ARM"
_THUMB = 1


@dataclass(frozen=True, slots=True)
class Section:
    """One section that is loaded; `in_file` False: zeroed memory."""

    name: str
    address: int
    size: int
    writable: bool
    in_file: bool


@dataclass(frozen=True, slots=True)
class Symbol:
    """A function or object."""

    name: str
    address: int
    size: int


@dataclass(frozen=True, slots=True)
class Place:
    """What lies at an address; `line` is "file:number" where the ELF has debugging information."""

    address: int
    section: str | None
    symbol: str | None
    offset: int
    line: str | None

    def describe(self) -> str:
        """One line."""
        if self.section is None:
            return f"0x{self.address:08x}  outside of everything that is loaded"
        name = f"{self.symbol}+0x{self.offset:x}" if self.symbol else f"{self.section}, no symbol"
        return f"0x{self.address:08x}  {name}" + (f"  {self.line}" if self.line else "")


@dataclass(frozen=True, slots=True)
class Firmware:
    """Everything this tool knows of one ELF."""

    machine: str
    chip: str | None
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    lines: tuple[tuple[int, int, str], ...]
    flash_bytes: int
    ram_bytes: int

    def place(self, address: int) -> Place:
        """Names an address; the lowest bit of a Thumb function's is none of it."""
        bare = address & ~_THUMB if self.machine == _ARM else address
        section = next((s for s in self.sections if s.address <= bare < s.address + s.size), None)
        if section is None:
            return Place(address, None, None, 0, None)
        symbol = self._symbol(bare, section)
        line = next((text for low, high, text in self.lines if low <= bare < high), None)
        offset = bare - symbol.address if symbol else 0
        return Place(address, section.name, symbol.name if symbol else None, offset, line)

    def _symbol(self, address: int, section: Section) -> Symbol | None:
        """The last one at or before the address that reaches it; without a size it reaches to the next."""
        index = bisect_right(self.symbols, address, key=lambda symbol: symbol.address)
        for symbol in reversed(self.symbols[max(0, index - 8) : index]):
            if symbol.address >= section.address and (
                not symbol.size or address < symbol.address + symbol.size
            ):
                return symbol
        return None


def read(path: Path) -> Firmware:
    """BadElf or OSError."""
    with open(path, "rb") as stream:
        try:
            return _read(ELFFile(stream))
        except Exception as error:  # pyelftools lets anything through that a broken file provokes
            raise BadElf(
                f"{path}: no ELF file that can be read ({str(error) or type(error).__name__})"
            ) from error


def _read(elf: ELFFile) -> Firmware:
    if max(elf.num_sections(), elf.num_segments()) > HEADERS_MAX:
        raise ValueError("more headers than a firmware has")
    sections = tuple(
        Section(
            section.name,
            section["sh_addr"],
            section["sh_size"],
            bool(section["sh_flags"] & SH_FLAGS.SHF_WRITE),
            section["sh_type"] != "SHT_NOBITS",
        )
        for section in elf.iter_sections()
        if section["sh_flags"] & SH_FLAGS.SHF_ALLOC and section["sh_size"]
    )
    machine = str(elf.get_machine_arch())
    chip = _chip(elf) if machine == _ARM else None
    loads = [segment for segment in elf.iter_segments() if segment["p_type"] == "PT_LOAD"]
    return Firmware(
        machine=machine,
        chip=chip,
        sections=sections,
        symbols=_symbols(elf, machine),
        lines=tuple(sorted(_lines(elf))),
        flash_bytes=sum(segment["p_filesz"] for segment in loads),
        ram_bytes=sum(segment["p_memsz"] for segment in loads if _is_ram(segment, chip)),
    )


def _is_ram(segment: object, chip: str | None) -> bool:
    header = segment.header  # type: ignore[attr-defined]
    if chip is None:
        return bool(header["p_flags"] & P_FLAGS.PF_W)
    return bool(0 <= header["p_vaddr"] - CHIPS[chip].ram_at < CHIPS[chip].ram_bytes)


def _symbols(elf: ELFFile, machine: str) -> tuple[Symbol, ...]:
    found = {}
    for section in elf.iter_sections():
        if not isinstance(section, SymbolTableSection):
            continue
        for symbol in section.iter_symbols():
            kind, value = symbol["st_info"]["type"], symbol["st_value"]
            if symbol.name and symbol["st_shndx"] != "SHN_UNDEF" and kind in ("STT_FUNC", "STT_OBJECT"):
                if machine == _ARM and kind == "STT_FUNC":
                    value &= ~_THUMB
                found[value, symbol.name] = Symbol(symbol.name, value, symbol["st_size"])
    return tuple(found[key] for key in sorted(found))


def _lines(elf: ELFFile) -> list[tuple[int, int, str]]:
    """(first address, address after, file:line) of every row of the line tables."""
    if not elf.has_dwarf_info():
        return []
    found = []
    dwarf = elf.get_dwarf_info()
    for unit in dwarf.iter_CUs():
        program: LineProgram | None = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        files = program["file_entry"]
        first = 0 if program["version"] >= 5 else 1
        before = None
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if before is not None and state.address > before.address:
                name = files[before.file - first].name.decode("utf-8", "replace")
                found.append((before.address, state.address, f"{name}:{before.line}"))
            before = None if state.end_sequence else state
    return found


def _chip(elf: ELFFile) -> str | None:
    section = elf.get_section_by_name(".ARM.attributes")
    if section is None:
        return None
    assert isinstance(section, ARMAttributesSection)
    for part in section.iter_subsections():
        for scope in part.iter_subsubsections():
            for attribute in scope.iter_attributes():
                if attribute.tag == "TAG_CPU_ARCH":
                    return _CHIP_OF_ARCH.get(attribute.value)
    return None
