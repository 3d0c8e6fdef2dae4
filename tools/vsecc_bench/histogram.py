"""Distributions as a picture: one row of bars per series over a common axis, with the limit drawn in."""

from __future__ import annotations

from html import escape

WIDTH, ROW, LEFT, RIGHT, TOP = 860, 120, 60, 30, 54
BARS_PER_MS = 4
INK, PALE, WARN = "#1f3a5f", "#5b8db8", "#b03030"


def histogram_svg(title: str, series: dict[str, list[float]], *, limit: float, unit: str = "ms") -> str:
    """SVG of sorted values per series; the axis ends shortly behind the limit or the largest value."""
    top = int(max([limit, *(values[-1] for values in series.values())]) + 2)
    height = TOP + ROW * len(series) + 40
    scale = (WIDTH - LEFT - RIGHT) / top
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="16" fill="{INK}">{escape(title)}</text>',
    ]
    for number, (name, values) in enumerate(series.items()):
        parts += _row(name, values, TOP + ROW * number, scale, top, unit)
    base = TOP + ROW * len(series)
    for tick in range(top + 1):
        x = LEFT + tick * scale
        parts.append(f'<text x="{x:.1f}" y="{base + 18}" text-anchor="middle" fill="#444">{tick}</text>')
    parts.append(f'<text x="{WIDTH - RIGHT}" y="{base + 34}" text-anchor="end" fill="#444">{unit}</text>')
    x = LEFT + limit * scale
    parts.append(f'<line x1="{x:.1f}" y1="40" x2="{x:.1f}" y2="{base}" stroke="{WARN}" stroke-width="1.5"/>')
    parts.append(f'<text x="{x + 4:.1f}" y="48" fill="{WARN}">limit {limit:g} {unit}</text></svg>\n')
    return "\n".join(parts)


def _row(name: str, values: list[float], top_y: int, scale: float, top: int, unit: str) -> list[str]:
    """Bars of a quarter of a unit, the figures of the series above them."""
    counts = [0] * (top * BARS_PER_MS)
    for value in values:
        counts[min(int(value * BARS_PER_MS), len(counts) - 1)] += 1
    most = max(counts)
    base = top_y + ROW - 6
    middle = values[len(values) // 2]
    caption = f"{name}: median {middle:.2f}, worst {values[-1]:.2f} {unit}, {len(values)} samples"
    parts = [
        f'<text x="{LEFT}" y="{top_y + 16}" fill="{INK}">{escape(caption)}</text>',
        f'<line x1="{LEFT}" y1="{base}" x2="{WIDTH - RIGHT}" y2="{base}" stroke="#999"/>',
    ]
    width = scale / BARS_PER_MS
    for index, count in enumerate(counts):
        if count:
            tall = max(1.0, count / most * (ROW - 44))
            x = LEFT + index * width
            parts.append(
                f'<rect x="{x + 0.5:.1f}" y="{base - tall:.1f}" width="{width - 1:.1f}" height="{tall:.1f}" '
                f'fill="{PALE}"/>'
            )
    x = LEFT + values[-1] * scale
    parts.append(f'<path d="M{x:.1f} {base - 10} l-4 -8 h8 z" fill="{WARN}"/>')
    return parts
