"""Runs docs/world.md as the notebook that it is, and draws its plots from what its blocks have computed.

`python docs/world_plots.py` writes what the blocks print into the page, and docs/world/*.svg; the tests compare both.
"""

import io
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

PAGE = Path(__file__).with_name("world.md")
PLOTS = PAGE.with_name("world")

_BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```\n(?:\n```text\n.*?^```\n)?", re.MULTILINE | re.DOTALL)
_WIDTH, _HEIGHT = 720, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 58, 48
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")  # Okabe and Ito: told apart by the colour-blind
_DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mark:
    """One thing that a chart shows.

    Args:
        name: In the legend; "" for none.
        y: X values, one for each place of the chart; nan where there is none.
        kind: Bars of one chart stand on each other.
        low: X lower ends of whiskers; empty for none.
        high: X upper ends.
    """

    name: str
    y: ArrayLike
    kind: Literal["line", "points", "bars"] = "line"
    low: ArrayLike = ()
    high: ArrayLike = ()


@dataclass(frozen=True)
class Chart:
    """A chart over X places of equal distance.

    Args:
        title: What it shows.
        across: What stands below the places.
        up: What the heights are.
        places: X names.
        marks: From the back to the front.
        is_log: Whether the heights are logarithmic.
        base: Where they begin if they are not; bars stand on 0.
    """

    title: str
    across: str
    up: str
    places: Sequence[object]
    marks: Sequence[Mark]
    is_log: bool = False
    base: float = 0.0

    def svg(self) -> str:
        """Return the chart as SVG; coordinates have one decimal, so that the last bits of the machine do not show."""
        low, high, ticks = self._heights()
        body = [*self._frame(low, high, ticks), *self._legend()]
        base: Floats = np.zeros(len(self.places))
        for number, mark in enumerate(self.marks):
            top: Floats = np.asarray(mark.y, float) + (base if mark.kind == "bars" else 0)
            body += self._drawn(mark, number, self._row(np.maximum(base, low), low, high), self._row(top, low, high))
            if len(np.asarray(mark.low)):
                body += self._whiskers(
                    *(self._row(np.asarray(each, float), low, high) for each in (mark.low, mark.high))
                )
            base = top if mark.kind == "bars" else base
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}"'
        style = 'font-family="Helvetica, Arial, sans-serif" font-size="12" fill="#222"'
        ground = f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>'
        return "\n".join([f'{head} height="{_HEIGHT}" {style}>', ground, *body, "</svg>"]) + "\n"

    def _heights(self) -> tuple[float, float, list[float]]:
        """Return where the heights begin and end, and the ticks between."""
        stacked = sum((np.asarray(each.y, float) for each in self.marks if each.kind == "bars"), np.zeros(1))
        rows = [stacked, *(np.asarray(row, float) for each in self.marks for row in (each.y, each.low, each.high))]
        values = np.concatenate([row for row in rows if len(row)])
        most = float(np.nanmax(values))
        if self.is_log:
            least = float(np.nanmin(values[values > 0]))
            all_ticks = [each * 10.0**power for power in range(-6, 7) for each in (1, 2, 5)]
            low = max(each for each in all_ticks if each <= least)
            high = min(each for each in all_ticks if each >= most)
            return low, high, [each for each in all_ticks if low <= each <= high]
        span = most - self.base
        steps = (each * 10.0**power for power in range(-6, 9) for each in (1, 2, 5))
        step = next(each for each in steps if span / each <= 6)
        num = int(np.ceil(span / step - 1e-9))
        ticks = [self.base + number * step for number in range(num + 1)]
        return self.base, ticks[-1], ticks

    def _row(self, value: Floats, low: float, high: float) -> Floats:
        share = np.log(value / low) / np.log(high / low) if self.is_log else (value - low) / (high - low)
        row: Floats = _HEIGHT - _BOTTOM - share * (_HEIGHT - _BOTTOM - _TOP)
        return row

    def _columns(self) -> Floats:
        width = (_WIDTH - _LEFT - _RIGHT) / len(self.places)
        return np.array([_LEFT + width * (number + 0.5) for number in range(len(self.places))])

    def _frame(self, low: float, high: float, ticks: Sequence[float]) -> list[str]:
        """Return the title, the axes with their ticks, and what they are."""
        right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM
        parts = [f'<text x="{_LEFT}" y="20" font-size="14" font-weight="bold">{escape(self.title)}</text>']
        for tick in ticks:
            y = self._row(np.array([tick]), low, high)[0]
            parts.append(f'<path d="M{_LEFT} {y:.1f}H{right}" stroke="{"#222" if tick == low else "#ddd"}"/>')
            parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:,.10g}</text>')
        every = -(-len(self.places) // 24)
        for number, (x, place) in enumerate(zip(self._columns(), self.places, strict=True)):
            if number % every == 0:
                parts.append(f'<text x="{x:.1f}" y="{bottom + 17}" text-anchor="middle">{escape(str(place))}</text>')
        middle = (_TOP + bottom) / 2
        return [
            *parts,
            f'<text x="{(_LEFT + right) / 2:.1f}" y="{_HEIGHT - 10}" text-anchor="middle">{escape(self.across)}</text>',
            f'<text transform="translate(14 {middle:.1f}) rotate(-90)" text-anchor="middle">{escape(self.up)}</text>',
        ]

    def _legend(self) -> list[str]:
        parts, x = [], float(_LEFT)
        for number, mark in enumerate(self.marks):
            if mark.name:
                sample = np.array([x, x + 22])
                parts += self._sample(mark, number, sample)
                parts.append(f'<text x="{x + 28:.1f}" y="42">{escape(mark.name)}</text>')
                x += 28 + 6.2 * len(mark.name) + 16
        return parts

    def _sample(self, mark: Mark, number: int, x: Floats) -> list[str]:
        if mark.kind == "bars":
            return [f'<rect x="{x[0]:.1f}" y="32" width="22" height="11" fill="{_COLOURS[number]}"/>']
        return _line(x, np.array([38.0, 38.0]), number) if mark.kind == "line" else _dots(x[:1] + 11, [38.0], number)

    def _drawn(self, mark: Mark, number: int, foot: Floats, top: Floats) -> list[str]:
        x = self._columns()
        if mark.kind == "line":
            return [*_line(x, top, number), *_dots(x, top, number)]
        if mark.kind == "points":
            return _dots(x, top, number, radius=5.0)
        width = 0.72 * (_WIDTH - _LEFT - _RIGHT) / len(x)
        return [
            f'<rect x="{left:.1f}" y="{high:.1f}" width="{width:.1f}" height="{low - high:.1f}" '
            f'fill="{_COLOURS[number]}"/>'
            for left, high, low in zip(x - width / 2, top, foot, strict=True)
            if low - high > 0
        ]

    def _whiskers(self, low: Floats, high: Floats) -> list[str]:
        return [
            f'<path d="M{x:.1f} {one:.1f}V{other:.1f}M{x - 6:.1f} {one:.1f}h12M{x - 6:.1f} {other:.1f}h12" '
            'stroke="#222"/>'
            for x, one, other in zip(self._columns(), low, high, strict=True)
        ]


def _line(x: Floats, y: Floats, number: int) -> list[str]:
    points = " ".join(f"{one:.1f},{other:.1f}" for one, other in zip(x, y, strict=True) if not np.isnan(other))
    dash = f' stroke-dasharray="{_DASHES[number]}"' if _DASHES[number] else ""
    return [f'<polyline points="{points}" fill="none" stroke="{_COLOURS[number]}" stroke-width="2"{dash}/>']


def _dots(x: Floats, y: ArrayLike, number: int, radius: float = 2.5) -> list[str]:
    pairs = zip(x, np.asarray(y, float), strict=True)
    return [
        f'<circle cx="{one:.1f}" cy="{other:.1f}" r="{radius}" fill="{_COLOURS[number]}"/>'
        for one, other in pairs
        if not np.isnan(other)
    ]


def play(page: str, folder: Path) -> tuple[str, dict[str, Any]]:
    """Run the blocks of a page, one after the other, in a folder.

    Args:
        page: Commands and Python; the Python blocks are one session.
        folder: Empty.

    Returns:
        The page with what is really printed below each block that shows something there, and what Python knows at the
        end. Of a command that fails the page shows the error.
    """
    known: dict[str, Any] = {}

    def played(found: re.Match[str]) -> str:
        language, text = found.group(1, 2)
        printed = _shell(text, folder) if language == "sh" else _python(text, known, folder)
        block = f"```{language}\n{text}```\n"
        return f"{block}\n```text\n{printed}```\n" if printed else block

    return _BLOCK.sub(played, page), known


def _shell(text: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["bash", "-euo", "pipefail", "-c", text]
    ended = subprocess.run(  # noqa: S603 - the commands of our own page
        command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
    )
    return ended.stdout + ended.stderr if ended.returncode else ended.stdout


def _python(text: str, known: dict[str, Any], folder: Path) -> str:
    out = io.StringIO()
    with chdir(folder), redirect_stdout(out):
        exec(compile(text, "<a block of docs/world.md>", "exec"), known)  # noqa: S102 - the blocks of our own page
    return out.getvalue()


def charts(known: dict[str, Any]) -> dict[str, Chart]:
    """Return the charts of the page by the names of their files.

    Args:
        known: What the blocks of the page have computed.
    """
    days, places = range(1, 22), range(1, 21)
    delivered, watched, ndcg, ends = (known[each] for each in ("delivered", "watched", "ndcg", "ends"))
    mean, error = np.array(list(known["lift"].values())).T
    edges = known["edges"].tolist()
    seen = [str(low) if high == low + 1 else f"{low}-{high - 1}" for low, high in pairwise(edges)] + [f"{edges[-1]}+"]
    return {
        "days": Chart(
            "A shop that grows: events by day",
            "January 2026",
            "events",
            days,
            [Mark("", known["by_day"]["events"], "bars")],
        ),
        "hours": Chart(
            "Visitors have their hours: events by hour of the day",
            "hour, UTC",
            "events",
            range(24),
            [Mark("", known["by_hour"]["events"], "bars")],
        ),
        "stock": Chart(
            f"Sold out, and filled up again: item P{known['shown'] + 1:04d}",
            "January 2026",
            "pieces",
            days,
            [
                Mark("sold during the day", known["sold"][:, known["shown"]], "bars"),
                Mark("there in the morning", known["pieces"][:, known["shown"]]),
            ],
        ),
        "places": Chart(
            "Clicks fall off with the place as attention does",
            "place in the list",
            "% of lists, logarithmic",
            places,
            [
                Mark("attention", 100 * known["attention"]),
                Mark("clicks, popular lists", 100 * known["p_click"]["popular"]),
                Mark("clicks, random lists", 100 * known["p_click"]["random"]),
            ],
            is_log=True,
        ),
        "lift": Chart(
            "What popular lists bring over random ones, with 95 % intervals",
            "",
            "clicks a visitor",
            ["A/B test, one world", "the same visitors live twice", "expected of what they were shown"],
            [
                Mark("exact, in closed form", np.full(3, known["exact"])),
                Mark("estimated", mean, "points", mean - 1.96 * error, mean + 1.96 * error),
            ],
        ),
        "belief": Chart(
            "What can be known of a taste, at best",
            "pages seen before",
            "belief in the true taste",
            seen,
            [Mark(f"drift {drift:.0%} a night", each) for drift, each in known["known"].items()],
        ),
        "shock": Chart(
            "Half the tastes change on 15 January: visitors of ten pages and more",
            "January 2026",
            "how sure, how often right",
            days[8:],
            [
                *(
                    Mark(f"{name}: {what}", row[8:])
                    for name in ("told", "not told")
                    for what, row in zip(("sure", "right"), watched[name], strict=True)
                ),
                Mark("no shock: right", watched["no shock"][1][8:]),
            ],
            base=0.4,
        ),
        "rows": Chart(
            "What is delivered by day, and what should have been",
            "file of January 2026",
            "rows",
            days,
            [
                *(
                    Mark(name, np.insert(delivered[each].astype(float), 10, 0), "bars")
                    for name, each in (
                        ("on time", "on_time"),
                        ("late", "late"),
                        ("copies", "copies"),
                        ("garbage", "garbage"),
                    )
                ),
                Mark("clean log", known["by_day"]["events"]),
            ],
        ),
        "ndcg": Chart(
            "How far from the best possible: the next item of the session",
            "",
            "NDCG@10",
            list(known["ranks"]),
            [Mark("", ndcg.mean(axis=1), "bars", *ends.T)],
        ),
    }


if __name__ == "__main__":
    with TemporaryDirectory() as scratch:
        told, computed = play(PAGE.read_text(encoding="utf-8"), Path(scratch))
    PAGE.write_text(told, encoding="utf-8")
    PLOTS.mkdir(exist_ok=True)
    for name, chart in charts(computed).items():
        (PLOTS / f"{name}.svg").write_text(chart.svg(), encoding="utf-8")
