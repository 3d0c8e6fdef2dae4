"""Block diagrams of hardware.md as SVG, numbers from the board file; `generate_hardware.py` writes them."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from xml.sax.saxutils import escape

INK, FAINT, SAFE = "#24292f", "#6e7781", "#b42318"
TERMINAL, CHIP, MCU = "#e7eef7", "#f3f4f6", "#fff3d6"
LINE_HEIGHT = 16
HEAD = 7  # of an arrow

Point = tuple[float, float]


class Drawing:
    """Boxes, arrows and words in user units; `svg()` is the file."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self._width, self._height = width, height
        self._parts: list[str] = []
        self.words(width / 2, 28, title, size=17, weight="bold")

    def words(
        self, x: float, y: float, text: str, *, size: int = 12, colour: str = INK, anchor: str = "middle",
        weight: str = "normal",
    ) -> None:  # fmt: skip
        """One line, its baseline at y."""
        self._parts.append(
            f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" fill="{colour}" '
            f'text-anchor="{anchor}">{escape(text)}</text>'
        )

    def box(
        self, x: float, y: float, width: float, height: float, lines: Sequence[str], fill: str = CHIP,
        stroke: str = INK,
    ) -> None:  # fmt: skip
        """A box with its name in bold and what it is below."""
        self._parts.append(
            f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="4" fill="{fill}" '
            f'stroke="{stroke}"/>'
        )
        top = y + height / 2 - (len(lines) - 1) * LINE_HEIGHT / 2 + 4
        for index, line in enumerate(lines):
            weight, colour = ("normal", FAINT) if index else ("bold", INK)
            self.words(x + width / 2, top + index * LINE_HEIGHT, line, weight=weight, colour=colour)

    def line(self, points: Sequence[Point], *, colour: str = INK, width: float = 1.4) -> None:
        """A path without heads."""
        path = " ".join(f"{x:g},{y:g}" for x, y in points)
        self._parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'
        )

    def arrow(
        self, points: Sequence[Point], label: str = "", *, colour: str = INK, both: bool = False
    ) -> None:
        """A path with a head at its end; the label stands over the middle of its first stretch."""
        self.line(points, colour=colour)
        self._head(points[-2], points[-1], colour)
        if both:
            self._head(points[1], points[0], colour)
        if label:
            (x, y), (to_x, _) = points[:2]
            self.words((x + to_x) / 2, y - 5, label, size=11, colour=FAINT)

    def _head(self, start: Point, end: Point, colour: str) -> None:
        (x, y), (from_x, from_y) = end, start
        length = max(abs(x - from_x), abs(y - from_y))
        along, up = (x - from_x) / length * HEAD, (y - from_y) / length * HEAD
        corners = [(x, y), (x - along - up / 2, y - up - along / 2), (x - along + up / 2, y - up + along / 2)]
        path = " ".join(f"{one:g},{other:g}" for one, other in corners)
        self._parts.append(f'<polygon points="{path}" fill="{colour}"/>')

    def svg(self) -> str:
        """The whole file; white, so that it reads on a dark page too."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self._width} {self._height}" '
            f'width="{self._width}" font-family="sans-serif">\n'
            f'<rect width="{self._width}" height="{self._height}" fill="#ffffff"/>\n'
            + "\n".join(self._parts)
            + "\n</svg>\n"
        )


def gpio(*pins: int) -> str:
    """Numbers as the pin table has them."""
    return "GPIO " + ", ".join(map(str, pins))


def board_blocks(board: ModuleType) -> str:
    """The overall board: terminals at the sides, the MCU in the middle, supplies on top."""
    drawing = Drawing(1080, 660, "The board")
    _supplies(drawing)
    drawing.box(500, 150, 130, 490, ["RP2350B", "MicroPython"], MCU)
    _bus(drawing, board)
    _outputs(drawing, board)
    return drawing.svg()


def _supplies(drawing: Drawing) -> None:
    y, height = 52, 44
    drawing.box(20, y, 110, height, ["X307", "18-30 V"], TERMINAL)
    drawing.box(170, y, 150, height, ["protection", "fuse, TVS, FET"])
    drawing.box(500, y, 110, height, ["buck", "5 V"])
    drawing.box(660, y, 110, height, ["LDO", "3.3 V"])
    drawing.box(820, y, 130, height, ["converter", "+12 V, -12 V"])
    drawing.arrow([(130, y + 22), (170, y + 22)])
    drawing.arrow([(320, y + 22), (500, y + 22)], "24 V: relays, locks, OUT")
    drawing.arrow([(610, y + 22), (660, y + 22)])
    drawing.arrow([(555, y + height), (555, y + 62), (885, y + 62), (885, y + height)])
    drawing.words(960, y + 27, "pilot amplifiers", colour=FAINT, anchor="start", size=11)


def _bus(drawing: Drawing, board: ModuleType) -> None:
    """Everything on SPI, left of the MCU."""
    bus_x = 460
    drawing.line([(bus_x, 165), (bus_x, 595)], width=4)
    drawing.arrow([(bus_x, 620), (500, 620)], both=True)
    drawing.line([(bus_x, 595), (bus_x, 620)], width=4)
    spi = f"SPI, {gpio(board.SPI_SCK, board.SPI_MOSI, board.SPI_MISO)}"
    drawing.words(bus_x - 10, 625, spi, size=11, colour=FAINT, anchor="end")
    chips = (
        (155, ["X301", "t1-t9"], None, ["AD7124-8", "24 bit"], board.TEMPERATURE_SELECT),
        (225, ["X300-X303", "a1, a2, CC1, PP"], ["dividers", "supply too"], ["MCP3208", "12 bit"],
         board.CONVERTER_SELECT),
        (295, ["X303, X302", "lock feedback"], None, ["MCP3204", "12 bit"], board.LOCK_CONVERTER_SELECT),
        (365, ["X306", "DIN1-DIN8"], ["MAX22195", "thresholds"], ["MCP23S17", "address 2"],
         board.EXPANDER_SELECT),
        (435, ["4 LEDs", "green, red"], None, None, None),
        (505, ["X306", "OUT1-OUT16"], ["VNI4140K-32", "four of them"], ["MCP23S17", "addresses 0, 1"],
         board.EXPANDER_SELECT),
    )  # fmt: skip
    for y, terminal, between, chip, select in chips:
        outwards = terminal[0] == "4 LEDs" or terminal[1].startswith("OUT")
        drawing.box(20, y, 120, 44, terminal, TERMINAL)
        if chip is None:
            drawing.arrow([(340, 409), (340, y + 22), (140, y + 22)])
            continue
        stops = [140.0, 160.0, 265.0, 285.0] if between else [140.0, 285.0]
        if between:
            drawing.box(160, y, 105, 44, between)
        for start, end in zip(stops[::2], stops[1::2], strict=True):
            span = [(end, y + 22), (start, y + 22)] if outwards else [(start, y + 22), (end, y + 22)]
            drawing.arrow(span)
        drawing.box(285, y, 110, 44, chip)
        drawing.arrow([(395, y + 22), (bus_x - 2, y + 22)], f"sel {select}", both=True)
    drawing.words(
        340, 570, f"{gpio(board.EXPANDER_RESET)} holds the expanders in reset", size=11, colour=FAINT
    )


def _outputs(drawing: Drawing, board: ModuleType) -> None:
    """What hangs on the MCU's own pins, right of it."""
    rows = (
        (155, gpio(*board.PILOT_PWM), ["pilot amplifier", "+12 V / -12 V"], ["X303, X302", "CP"], "out", INK),
        (215, gpio(*board.PILOT_ADC), ["divider, buffer", "-15..15 V"], ["X303, X302", "CP"], "in", INK),
        (285, gpio(*board.RELAY_PUMP), ["pumps, relays", "edges hold them"], ["X304", "REL1-REL3"], "out",
         SAFE),
        (345, gpio(*board.RELAY_FEEDBACK), ["mirror contacts", "forced guided"], None, "in", SAFE),
        (415, gpio(*board.LOCK, *board.LOCK_DIRECTION), ["2 x DRV8876", "lock bridges"],
         ["X303, X302", "lock motors"], "out", INK),
        (475, gpio(board.UART_TX, board.UART_RX), ["isolator", f"UART, {board.UART_BAUD}"], ["host", "Linux"],
         "both", INK),
        (535, gpio(*board.DIP), ["DIP switches", "supervision off"], None, "in", INK),
        (595, gpio(board.BUTTON), ["button", "factory reset"], None, "in", INK),
    )  # fmt: skip
    for y, pins, part, terminal, way, colour in rows:
        middle = y + 22
        drawing.box(750, y, 130, 44, part, stroke=colour)
        for start, end, label in ((630, 750, pins), (880, 940, "")):
            if end == 940 and terminal is None:
                continue
            points = [(start, middle), (end, middle)]
            drawing.arrow(points[::-1] if way == "in" else points, label, colour=colour, both=way == "both")
        if terminal is not None:
            drawing.box(940, y, 120, 44, terminal, TERMINAL)
    drawing.arrow([(815, 329), (815, 345)], colour=SAFE)


def port_blocks(board: ModuleType, pilot_ohm: Sequence[float], proximity_kohm: Sequence[float]) -> str:
    """One port from the MCU's pins to its terminals; figures of port 1 / port 2."""
    drawing = Drawing(1080, 560, "One port (GPIO and channels: port 1 / port 2)")
    drawing.box(20, 52, 150, 490, [], MCU)
    drawing.words(60, 72, "RP2350B", weight="bold")
    _pilot(drawing, board, pilot_ohm)
    _proximity(drawing, board, proximity_kohm)
    _relay(drawing, board)
    _lock(drawing, board)
    return drawing.svg()


def _of_ports(pins: Sequence[int]) -> str:
    return " / ".join(map(str, pins[:2]))


def _pin(drawing: Drawing, y: float, text: str) -> None:
    drawing.words(163, y + 4, text, size=11, anchor="end")


def _chain(
    drawing: Drawing, y: float, boxes: Sequence[tuple[float, float, Sequence[str]]], *, colour: str = INK,
    inwards: bool = False, terminal: Sequence[str] = (),
) -> None:  # fmt: skip
    """From the MCU's edge to the terminal, or back."""
    edge = 170.0
    stops = [(x, width, lines, CHIP) for x, width, lines in boxes]
    if terminal:
        stops.append((930, 130, terminal, TERMINAL))
    for x, width, lines, fill in stops:
        drawing.box(x, y - 22, width, 44, lines, fill, colour)
        points = [(edge, y), (x, y)]
        drawing.arrow(points[::-1] if inwards else points, colour=colour)
        edge = x + width


def _pilot(drawing: Drawing, board: ModuleType, pilot_ohm: Sequence[float]) -> None:
    upper, to_reference, to_ground = (f"{ohm / 1000:g} k" for ohm in pilot_ohm)
    _pin(drawing, 90, f"PWM {_of_ports(board.PILOT_PWM)}")
    drive = [
        (230, 120, ["4.7 k to GND", "no pin: -12 V"]),
        (410, 170, ["amplifier, OPA2197", "low in: -12 V, high: +12 V"]),
        (640, 110, ["1.00 k", "1 %"]),
        (800, 90, ["TVS 15 V", "modem"]),
    ]
    _chain(drawing, 90, drive, terminal=["X303.7 / X302.7", "CP"])
    _pin(drawing, 160, f"ADC {_of_ports(board.PILOT_ADC)}")
    sense = [
        (230, 120, ["buffer", "OPA2340"]),
        (410, 340, ["divider", f"{upper} from CP, {to_reference} to 3.3 V, {to_ground} to GND"]),
    ]
    _chain(drawing, 160, sense, inwards=True)
    drawing.arrow([(910, 90), (910, 160), (750, 160)])


def _proximity(drawing: Drawing, board: ModuleType, kohm: Sequence[float]) -> None:
    upper, lower = kohm
    _pin(drawing, 240, "SPI")
    chain = [
        (230, 120, ["MCP3208", f"CH{' / CH'.join(map(str, board.CONVERTER_PROXIMITY))}"]),
        (410, 170, ["divider", f"{upper:g} k / {lower:g} k, 100 nF"]),
        (640, 250, ["330 ohm to 5 V", "2.7 kohm to PE, plug resistor"]),
    ]
    _chain(drawing, 240, chain, inwards=True, terminal=["X303 / X302", "PP"])


def _relay(drawing: Drawing, board: ModuleType) -> None:
    _pin(drawing, 320, f"PIO {_of_ports(board.RELAY_PUMP)}")
    chain = [
        (230, 120, ["74LVC1G17", "4.7 k to GND"]),
        (410, 170, ["100 nF, two diodes", "10 nF || 100 k: 1.4 ms"]),
        (640, 110, ["FET", "24 V coil"]),
        (800, 90, ["contact", "NO, forced"]),
    ]
    _chain(drawing, 320, chain, colour=SAFE, terminal=["X304", "REL1 / REL2"])
    _pin(drawing, 385, f"in {_of_ports(board.RELAY_FEEDBACK)}")
    mirror = [(640, 250, ["mirror contact", "closed while the relay is open"])]
    _chain(drawing, 385, mirror, colour=SAFE, inwards=True)
    drawing.arrow([(845, 342), (845, 363)], colour=SAFE)
    drawing.words(405, 380, "10 k to 3.3 V: a broken wire reads as welded", size=11, colour=FAINT)


def _lock(drawing: Drawing, board: ModuleType) -> None:
    _pin(drawing, 435, f"EN {_of_ports(board.LOCK)}")
    _pin(drawing, 455, f"PH {_of_ports(board.LOCK_DIRECTION)}")
    _pin(drawing, 475, f"fault {_of_ports(board.LOCK_FAULT)}")
    drawing.box(230, 425, 350, 60, ["DRV8876", "EN low: brake, 4.7 k to GND; 2 A at most; 12 or 24 V"])
    drawing.box(930, 433, 130, 44, ["X303 / X302", "lock motor"], TERMINAL)
    for points in ([(170, 435), (230, 435)], [(170, 455), (230, 455)], [(230, 475), (170, 475)]):
        drawing.arrow(points)
    drawing.arrow([(580, 455), (930, 455)])
    _pin(drawing, 520, "SPI")
    sense = [
        (230, 120, ["MCP3204", f"CH{' / CH'.join(map(str, board.LOCK_FEEDBACK))}"]),
        (410, 170, ["4.7 kohm", "to its reference"]),
    ]
    _chain(drawing, 520, sense, inwards=True, terminal=["X303 / X302", "lock feedback"])
