"""A small SVG canvas for pictures over time: coloured bands above a plot of volts and amperes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH = 1080
LEFT, RIGHT = 90, 60
PLOT_WIDTH = WIDTH - LEFT - RIGHT
BAND_TOP, BAND_HEIGHT, BAND_STEP = 60, 26, 38
CURVE_TOP, CURVE_HEIGHT = 190, 230
VOLTS, AMPERES = "#1c7ed6", "#d9480f"
_TOPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 150, 200, 250, 300, 400, 500, 600, 800, 1000, 1500)


class Canvas:
    """Collects shapes; `document` gives the SVG. Times are seconds from the left edge."""

    def __init__(self, end_s: float) -> None:
        self.parts: list[str] = []
        self._scale = PLOT_WIDTH / max(end_s, 0.001)
        self._top_v = self._top_a = 1.0

    def x(self, at_s: float) -> float:
        """Place of a time."""
        return LEFT + at_s * self._scale

    def text(
        self, x: float, y: float, text: str, *, size: int = 12, anchor: str = "start", fill: str = "#222"
    ) -> None:
        """Words."""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" fill="{fill}">'
            f"{escape(text)}</text>"
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str = "#ced4da") -> None:
        """A thin line."""
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'
        )

    def box(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle."""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" height="{height}" fill="{colour}"/>'
        )

    def band(self, row: int, name: str, pieces: Sequence[tuple[float, str, str]], end_s: float) -> None:
        """One row of coloured stretches: (start_s, label, colour)."""
        top = BAND_TOP + row * BAND_STEP
        self.text(LEFT - 8, top + 17, name, anchor="end")
        for index, (start_s, label, colour) in enumerate(pieces):
            stop_s = pieces[index + 1][0] if index + 1 < len(pieces) else end_s
            x, width = self.x(start_s), self.x(stop_s) - self.x(start_s)
            self.box(x, top, width, BAND_HEIGHT, colour)
            size = 11 if width > 7 * len(label) + 6 else 9
            if width > 0.6 * size * len(label):
                self.text(x + width / 2, top + 17, label, anchor="middle", size=size)

    def axes(self, end_s: float, volts: Sequence[float], amperes: Sequence[float]) -> None:
        """Grid and scales that fit these values; the time below."""
        self._top_v, self._top_a = nice_top(max(volts, default=0.0)), nice_top(max(amperes, default=0.0))
        bottom = CURVE_TOP + CURVE_HEIGHT
        for step in range(6):
            y = bottom - CURVE_HEIGHT * step / 5
            self.line(LEFT, y, LEFT + PLOT_WIDTH, y)
            self.text(LEFT - 8, y + 4, f"{self._top_v * step / 5:.0f}", anchor="end", size=11, fill=VOLTS)
            self.text(LEFT + PLOT_WIDTH + 8, y + 4, f"{self._top_a * step / 5:.0f}", size=11, fill=AMPERES)
        self.text(LEFT - 8, CURVE_TOP - 8, "V", anchor="end", fill=VOLTS)
        self.text(LEFT + PLOT_WIDTH + 8, CURVE_TOP - 8, "A", fill=AMPERES)
        step_s = nice_top(end_s / 12)
        for tick in range(int(end_s / step_s) + 1):
            at_s = tick * step_s
            self.text(self.x(at_s), bottom + 18, f"{at_s:g} s", anchor="middle", size=11)

    def curve(
        self, points: Sequence[tuple[float, float]], *, right: bool = False, dashed: bool = False
    ) -> None:
        """A line over the plot: volts on the left scale, amperes on the `right` one."""
        top, colour = (self._top_a, AMPERES) if right else (self._top_v, VOLTS)
        path = " ".join(
            f"{self.x(at_s):.1f},{CURVE_TOP + CURVE_HEIGHT * (1 - value / top):.1f}" for at_s, value in points
        )
        style = ' stroke-dasharray="5 4" stroke-opacity="0.6"' if dashed else ""
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"{style}/>'
        )

    def document(self, height: int) -> str:
        """The picture."""
        body = "\n".join(self.parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
            f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">\n'
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>\n{body}\n</svg>\n'
        )


def nice_top(value: float) -> float:
    """A round upper edge for a scale."""
    return next((float(top) for top in _TOPS if value <= top), value)
