"""Small charts: a line of letters for terminals, SVG for pages. Colours are classes of the page."""

from collections.abc import Sequence
from html import escape

__all__ = ["band_svg", "bars_svg", "spark", "spark_svg"]

_BLOCKS = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float | None]) -> str:
    """Return numbers as a line of blocks between 0 and the greatest; a gap where there is none.

    >>> spark([0, 4, None, 8])
    '▁▅ █'
    """
    top = max((value for value in values if value is not None), default=0)
    return "".join(" " if value is None else _BLOCKS[_eighth(value, top)] for value in values)


def _eighth(value: float, top: float) -> int:
    return min(7, int(8 * value / top)) if top > 0 else 0


def spark_svg(values: Sequence[float | None], *, tone: str = "good") -> str:
    """Return numbers as a small line, from 0 to the greatest; the last one has a dot.

    Args:
        values: Oldest first; None leaves a gap.
        tone: Class of the dot.
    """
    width, height = 120, 24
    top = max((value for value in values if value is not None), default=0) or 1
    points = _points(values, (2, width - 4), (3, height - 3), (0, top))
    return (
        f'<svg class="spark" viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true">'
        f"{_lines(points)}{_last_dot(points, tone)}</svg>"
    )


def band_svg(
    values: Sequence[float | None], days: Sequence[str], band: tuple[float, float] | None, *, tone: str
) -> str:
    """Return a figure of the last weeks as a line, with its usual range on the last day as a band.

    Args:
        values: X values, oldest first; None leaves a gap.
        days: X days.
        band: Least and greatest usual value of the last day; None without.
        tone: Class of the last day's dot.
    """
    width, height, bottom = 300, 92, 74
    known = [value for value in values if value is not None]
    top = max([*known, *(band or ())], default=0) or 1
    parts = []
    if band:
        low, high = (_row(each, (6, bottom), (0, top)) for each in band)
        parts.append(f'<rect class="band" x="4" y="{high:.1f}" width="{width - 8}" height="{max(low - high, 1):.1f}"/>')
    parts.append(f'<path class="axis" d="M4 {bottom}H{width - 4}"/>')
    points = _points(values, (6, width - 8), (6, bottom), (0, top))
    parts += [_lines(points), _last_dot(points, tone)]
    if days:
        parts.append(f'<text class="tick" x="4" y="{height - 4}">{escape(days[0])}</text>')
        parts.append(f'<text class="tick" x="{width - 4}" y="{height - 4}" text-anchor="end">{escape(days[-1])}</text>')
    return f'<svg class="band-chart" viewBox="0 0 {width} {height}" aria-hidden="true">{"".join(parts)}</svg>'


def bars_svg(values: Sequence[float], usual: Sequence[float], names: Sequence[str]) -> str:
    """Return bars, each with a mark where it usually ends.

    Args:
        values: X heights >= 0.
        usual: X usual heights; empty for none.
        names: X names below the bars.
    """
    width, height, bottom = 960, 180, 156
    top = max([*values, *usual], default=0) or 1
    step = (width - 56) / max(len(values), 1)
    parts = []
    for tick in (0.0, top / 2, top):
        y = _row(tick, (10, bottom), (0, top))
        parts.append(f'<path class="grid" d="M48 {y:.1f}H{width - 8}"/>')
        parts.append(f'<text class="tick" x="42" y="{y + 4:.1f}" text-anchor="end">{tick:,.0f}</text>')
    for at, (value, name) in enumerate(zip(values, names, strict=True)):
        x, y = 48 + step * at, _row(value, (10, bottom), (0, top))
        parts.append(
            f'<rect class="bar" x="{x + 3:.1f}" y="{y:.1f}" width="{step - 6:.1f}" height="{bottom - y:.1f}"/>'
        )
        if usual:
            mark = _row(usual[at], (10, bottom), (0, top))
            parts.append(f'<path class="mark" d="M{x + 1:.1f} {mark:.1f}H{x + step - 1:.1f}"/>')
        label = f'<text class="tick" x="{x + step / 2:.1f}" y="{height - 6}" text-anchor="middle">{escape(name)}</text>'
        parts.append(label)
    return f'<svg class="bars" viewBox="0 0 {width} {height}" aria-hidden="true">{"".join(parts)}</svg>'


Point = tuple[float, float] | None


def _row(value: float, rows: tuple[float, float], heights: tuple[float, float]) -> float:
    """Return where a height lies between the upper and the lower row; one decimal hides the machine's last bits."""
    upper, lower = rows
    return round(lower - (value - heights[0]) / (heights[1] - heights[0]) * (lower - upper), 1)


def _points(
    values: Sequence[float | None],
    columns: tuple[float, float],
    rows: tuple[float, float],
    heights: tuple[float, float],
) -> list[Point]:
    left, right = columns
    step = (right - left) / max(len(values) - 1, 1)
    return [
        None if value is None else (round(left + step * at, 1), _row(value, rows, heights))
        for at, value in enumerate(values)
    ]


def _lines(points: Sequence[Point]) -> str:
    """Return lines through neighbouring points; a point between two gaps is a dot."""
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    drawn = []
    for run in (each for each in runs if each):
        if len(run) == 1:
            drawn.append(f'<circle class="lone" cx="{run[0][0]}" cy="{run[0][1]}" r="1.5"/>')
        else:
            drawn.append(f'<polyline class="line" points="{" ".join(f"{x},{y}" for x, y in run)}"/>')
    return "".join(drawn)


def _last_dot(points: Sequence[Point], tone: str) -> str:
    if not points or points[-1] is None:
        return ""
    x, y = points[-1]
    return f'<circle class="dot {escape(tone)}" cx="{x}" cy="{y}" r="2.6"/>'
