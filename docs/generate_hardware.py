"""Writes tables and drawings of hardware.md from the board files; a test keeps them current. No arguments."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "protocol"), str(ROOT / "docs")]

from hardware_blocks import board_blocks, port_blocks  # noqa: E402

from mcu.boards import pico, pico2, reference  # noqa: E402

PAGE = ROOT / "docs" / "hardware.md"
BOARDS: tuple[ModuleType, ...] = (reference, pico2, pico)
CONVERTER_CODES = 4096
REFERENCE_V = 3.0
# Upper and lower resistor of each divider in kilohm; None: straight to the input.
DIVIDERS = {
    "PP": (100.0, 100.0),
    "analog": (26.7, 10.0),
    "supply": (110.0, 10.0),
    "CC1": (200.0, 49.9),
    "reference": None,
}
# From CP, to the 3.3 V of the converter, to ground; ohm.
PILOT_DIVIDER = (100e3, 22e3, 28e3)
X301_TEMPERATURES = (20, 19, 16, 15, 12, 11, 8, 7, 4)


def pin_rows(board: ModuleType) -> dict[int, str]:
    """GPIO -> signal of a board."""
    rows = {
        board.UART_TX: "UART to the host, TX",
        board.UART_RX: "UART to the host, RX",
        board.SPI_SCK: "SPI SCK",
        board.SPI_MOSI: "SPI MOSI",
        board.SPI_MISO: "SPI MISO, pull-up",
        board.CONVERTER_SELECT: "select MCP3208",
        board.EXPANDER_SELECT: "select MCP23S17",
        board.EXPANDER_RESET: "reset MCP23S17, pull-down",
        board.BUTTON: "factory-reset button, to ground",
    }
    groups: list[tuple[tuple[int, ...] | None, str]] = [
        (board.PILOT_PWM, "CP{} drive, low = -12 V"),
        (board.PILOT_ADC, "CP{} measurement"),
        (board.RELAY_PUMP, "REL{} charge pump, pull-down"),
        (board.RELAY_FEEDBACK, "REL{} mirror contact, to ground while open"),
        (board.DIP, "DIP switch {}, to ground when ON"),
    ]
    if board.LOCK_DIRECTION is not None:
        groups += [
            (board.LOCK, "lock bridge {} EN, pull-down"),
            (board.LOCK_DIRECTION, "lock bridge {} PH"),
            (board.LOCK_FAULT, "lock bridge {} nFAULT, pull-up"),
        ]
        rows[board.LOCK_CONVERTER_SELECT] = "select MCP3204 (lock feedback)"
    else:
        groups.append((board.LOCK, "held low (lock bridge {} not fitted)"))
    if board.TEMPERATURE_SELECT is not None:
        rows[board.TEMPERATURE_SELECT] = "select AD7124-8"
    for pins, text in groups:
        rows.update({pin: text.format(index) for index, pin in enumerate(pins or (), 1)})
    return rows


def pins() -> str:
    """One row per GPIO, one column per kind of board."""
    large, small = pin_rows(reference), pin_rows(pico)
    assert {pin: text for pin, text in small.items()} == pin_rows(pico2)
    lines = ["| GPIO | reference (RP2350B) | pico, pico2 |", "|---|---|---|"]
    for pin in sorted(set(large) | set(small)):
        lines.append(f"| {pin} | {large.get(pin, '-')} | {small.get(pin, '-')} |")
    return "\n".join(lines)


def dividers() -> str:
    """Inputs of the 12-bit converter with what a code is worth and what the resistors make of it."""
    board = reference
    rows: list[tuple[int, str, int, str]] = []
    for index, channel in enumerate(board.CONVERTER_PROXIMITY, 1):
        rows.append((channel, f"PP{index}", board.PROXIMITY_SPAN_MV, "PP"))
    for index, channel in enumerate(board.CONVERTER_ANALOG, 1):
        rows.append((channel, f"a{index}", board.ANALOG_SPAN_MV, "analog"))
    rows.append((board.CONVERTER_SUPPLY, "supply", board.SUPPLY_SPAN_MV, "supply"))
    for name, channel in zip(("CC1 AC", "CC1 DC"), board.CONVERTER_CC1, strict=True):
        rows.append((channel, name, board.CC1_SPAN_MV, "CC1"))
    rows.append((board.CONVERTER_REFERENCE, "2.5 V check", board.REFERENCE_SPAN_MV, "reference"))
    lines = [
        "| Input | Signal | Full scale | Step | Divider | Gives | Off by |",
        "|---|---|---|---|---|---|---|",
    ]
    for channel, name, span_mv, kind in sorted(rows):
        resistors = DIVIDERS[kind]
        ratio = 1.0 if resistors is None else 1 + resistors[0] / resistors[1]
        given_mv = REFERENCE_V * 1000 * ratio
        text = "-" if resistors is None else f"{resistors[0]:g} k / {resistors[1]:g} k"
        lines.append(
            f"| CH{channel} | {name} | {span_mv / 1000:g} V | {span_mv / CONVERTER_CODES:.2f} mV | {text} "
            f"| {given_mv / 1000:.3f} V | {(given_mv / span_mv - 1) * 100:+.2f} % |"
        )
    return "\n".join(lines)


def pilot() -> str:
    """The pilot's divider onto the chip's own converter, computed from its resistors."""
    (upper, to_reference, to_ground), reference_v = PILOT_DIVIDER, 3.3
    conductance = 1 / upper + 1 / to_reference + 1 / to_ground
    slope = 1 / upper / conductance
    offset = reference_v / to_reference / conductance
    span, zero = reference_v / slope, -offset / slope
    lines = [
        "| | Board file | Resistors give | Off by |",
        "|---|---|---|---|",
        f"| code 0 | {reference.PILOT_ZERO_MV / 1000:g} V | {zero:.3f} V "
        f"| {(zero * 1000 - reference.PILOT_ZERO_MV):+.0f} mV |",
        f"| span of 4096 codes | {reference.PILOT_SPAN_MV / 1000:g} V | {span:.3f} V "
        f"| {(span * 1000 / reference.PILOT_SPAN_MV - 1) * 100:+.2f} % |",
        f"| load on the pilot | - | {(upper + 1 / (1 / to_reference + 1 / to_ground)) / 1000:.0f} kohm | - |",
    ]
    return "\n".join(lines)


def expanders() -> str:
    """Port bits of the expanders and the terminals behind them."""
    board = reference
    lines = ["| Chip, address | Port | Terminal |", "|---|---|---|"]
    for address, text in (
        (board.EXPANDER_OUTPUTS, "OUT{n} = `d{n}`, X306.{pin}"),
        (board.EXPANDER_OVERLOAD, "diagnosis of OUT{n}, low: too hot"),
    ):
        for port in range(2):
            first, last = 8 * port + 1, 8 * port + 8
            one = text.format(n=first, pin=26 - first)
            other = text.format(n=last, pin=26 - last)
            lines.append(f"| MCP23S17, {address} | GP{'AB'[port]}0 .. 7 | {one} .. {other} |")
    lines.append(
        f"| MCP23S17, {board.EXPANDER_INPUTS} | GPA0 .. 7 | DIN1 = `d1`, X306.9 .. DIN8 = `d8`, X306.2 |"
    )
    lights = "system green, red; port 1 green, red; port 2 green, red; port 3 green, red"
    lines.append(f"| MCP23S17, {board.EXPANDER_INPUTS} | GPB0 .. 7 | LEDs: {lights} |")
    return "\n".join(lines)


def temperatures() -> str:
    """Inputs of the 24-bit converter and their terminals."""
    lines = ["| AIN | Signal | Terminal |", "|---|---|---|"]
    for index, pin in enumerate(reference.TEMPERATURE_INPUTS):
        lines.append(f"| AIN{pin} | `t{index + 1}`, `tr{index + 1}` | X301.{X301_TEMPERATURES[index]} |")
    ohm = reference.TEMPERATURE_REFERENCE_MOHM / 1000
    lines.append(
        f"| AIN{reference.TEMPERATURE_REFERENCE} | fixed resistor {ohm:g} ohm, 0.1 %, 10 ppm/K | - |"
    )
    return "\n".join(lines)


def fitted() -> str:
    """What each board has."""
    rows = {
        "CP1, CP2, PP1, PP2, REL1-REL3, DIP, button": lambda board: True,
        "16 outputs, 8 inputs, 4 LEDs": lambda board: True,
        "a1, a2, supply, CC1 AC, CC1 DC, 2.5 V check": lambda board: True,
        "overload read-back": lambda board: board.EXPANDER_OVERLOAD is not None,
        "t1-t9": lambda board: board.TEMPERATURE_SELECT is not None,
        "lock motors and feedback": lambda board: board.LOCK_DIRECTION is not None,
    }
    names = [board.NAME for board in BOARDS]
    lines = ["| Terminal | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
    for text, has in rows.items():
        lines.append(f"| {text} | " + " | ".join("yes" if has(board) else "-" for board in BOARDS) + " |")
    return "\n".join(lines)


TABLES = {
    "fitted": fitted,
    "pins": pins,
    "dividers": dividers,
    "pilot": pilot,
    "expanders": expanders,
    "temperatures": temperatures,
}


def renewed(text: str) -> str:
    """The page with every table between its marks written anew; ValueError for a table without marks."""
    for name, table in TABLES.items():
        begin, end = f"<!-- table {name} -->\n", f"<!-- end {name} -->"
        if begin not in text or end not in text:
            raise ValueError(f"no marks for table {name}")
        head, rest = text.split(begin, 1)
        text = head + begin + table() + "\n" + end + rest.split(end, 1)[1]
    return text


def drawings() -> dict[Path, str]:
    """Every drawing of the page by its file."""
    proximity = DIVIDERS["PP"]
    assert proximity is not None
    return {
        PAGE.with_name("hardware-board.svg"): board_blocks(reference),
        PAGE.with_name("hardware-port.svg"): port_blocks(reference, PILOT_DIVIDER, proximity),
    }


if __name__ == "__main__":
    for path, drawn in drawings().items():
        path.write_text(drawn, encoding="utf-8")
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
