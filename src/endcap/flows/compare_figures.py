"""The figures of a comparison: each model's measure with its interval, and quality against the time of training.

Colours are those of Okabe and Ito, which people with any kind of colour vision tell apart; shapes differ besides.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from endcap.models.evaluate import REFERENCES
from endcap.models.evaluation import Evaluation, ModelMeasures
from endcap.models.evaluation_text import UNTIED, main_measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["FIGURES", "draw"]

_Box = tuple[float, float, float, float]
"""Left, bottom, right and top, in pixels."""

_ALL, _UNTIED, _REFERENCE, _INK = "#0072B2", "#D55E00", "#6E6E6E", "#222222"
_WIDTH_IN, _ROW_IN = 7.6, 0.46
_LEAST_S = 0.001
"""Fits that took less stand at this time: nothing shorter can be told apart."""

_GRID: Any = {"color": "#E4E4E4", "linewidth": 0.8}
_STYLE: Any = {
    "axes.axisbelow": True,
    "svg.hashsalt": "endcap", "font.family": "DejaVu Sans", "font.size": 10, "axes.edgecolor": "#888888",
    "axes.labelcolor": _INK, "text.color": _INK, "xtick.color": _INK, "ytick.color": _INK,
    "axes.spines.top": False, "axes.spines.right": False, "figure.facecolor": "white", "savefig.dpi": 150,
    "figure.constrained_layout.w_pad": 0.12, "figure.constrained_layout.h_pad": 0.1,
}  # fmt: skip


@dataclass(frozen=True)
class _Kind:
    """A figure by its file's name: what it shows, in words."""

    title: str
    alt: str


FIGURES: Mapping[str, _Kind] = {
    "quality": _Kind(
        "Quality of the models",
        "each model's {measure} with its 95 % interval, on all cases and, where some are tied, on the untied ones; the "
        "table has the numbers",
    ),
    "time": _Kind(
        "Quality against the time of training",
        "each model's {measure} with its 95 % interval over the seconds that it took to fit; the tables have the "
        "numbers",
    ),
}
"""Name of the file -> title and text for those who do not see it."""


def draw(found: Evaluation, folder: Path) -> None:
    """Write `quality` and `time`, each as PNG and SVG, into an existing folder.

    The same measures give the same bytes of `quality`; `time` shows seconds, which differ from run to run.
    """
    from matplotlib import rc_context, rcdefaults, rcParams  # noqa: PLC0415 - an extra, and slow to load

    with rc_context():
        rcdefaults()  # not what a user likes figures to look like: the same bytes everywhere
        rcParams.update(_STYLE)
        for name, figure in (("quality", _quality(found)), ("time", _time(found))):
            figure.savefig(folder / f"{name}.png", metadata={"Software": "endcap"})
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": "endcap"})


def _quality(found: Evaluation) -> "Figure":
    """Draw a row for each model, the best on top."""
    measure, untied = main_measure(found), found.slice_named(UNTIED)
    apart = _defined(untied.models, measure) if untied is not None and found.counts["same_instant"] else {}
    models = _defined(found.models, measure)
    names = sorted(models, key=lambda name: models[name].values[measure])
    figure, axes = _figure(1.5 + _ROW_IN * len(names))
    for row, name in enumerate(names):
        shift = 0.14 if apart else 0.0
        _dot(axes, models[name], measure, row + shift, colour=_ALL, shape="o", label="all cases")
        if name in apart:
            _dot(axes, apart[name], measure, row - shift, colour=_UNTIED, shape="D", label="untied cases")
    axes.set_yticks(range(len(names)), [f"{name} (reference)" if name in REFERENCES else name for name in names])
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"{_spelt(measure)}, 95 % interval over users")
    axes.grid(axis="x", **_GRID)
    if apart:
        _explain(figure, axes)
    return figure


def _time(found: Evaluation) -> "Figure":
    """Draw a point for each model, with its name beside it."""
    measure = main_measure(found)
    figure, axes = _figure(4.6)
    points = {}
    for name, each in _defined(found.models, measure).items():
        seconds, value = max(found.fit_s[name], _LEAST_S), each.values[measure]
        low, high = each.intervals[measure]
        colour, shape = (_REFERENCE, "s") if name in REFERENCES else (_ALL, "o")
        axes.errorbar(
            [seconds], [value], yerr=[[max(value - low, 0)], [max(high - value, 0)]],
            fmt=shape, color=colour, markersize=7, capsize=3, elinewidth=1.6,
            label="reference" if name in REFERENCES else "model",
        )  # fmt: skip
        points[name] = (seconds, value)
    axes.set_xscale("log")
    longest = max((seconds for seconds, _ in points.values()), default=1.0)
    axes.set_xlim(_LEAST_S * 0.6, max(longest, 1.0) * 6)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(lambda value, _at: f"{value:g}")
    axes.set_xlabel(f"seconds of fitting on this machine (logarithmic; {_LEAST_S:g} stands for less, too)")
    axes.set_ylabel(f"{_spelt(measure)}, 95 % interval")
    axes.grid(**_GRID)
    _explain(figure, axes)
    _name_points(figure, axes, points)
    return figure


def _explain(figure: "Figure", axes: "Axes") -> None:
    """Say above the figure what each colour and shape is."""
    handles, labels = axes.get_legend_handles_labels()
    first = dict(zip(reversed(labels), reversed(handles), strict=True))
    names = sorted(first)
    figure.legend([first[name] for name in names], names, loc="outside upper right", ncols=2, frameon=False)


_OFFSETS = [(side, rise) for rise in (0, 12, -12, 24, -24, 36, -36, 48, -48, 60, -60, 72, -72) for side in (9, -9)]
"""Where a name may stand from its point, in points; the first that is free is taken."""

_FAR = 20
"""Points of rise from which on a line leads from a name to its point."""


def _name_points(figure: "Figure", axes: "Axes", points: Mapping[str, tuple[float, float]]) -> None:
    """Put each name beside its point where it covers no point and no other name."""
    figure.draw_without_rendering()
    taken = []
    for place in points.values():
        x, y = axes.transData.transform(place)
        taken.append((x - 6, y - 6, x + 6, y + 6))
    for name, place in sorted(points.items(), key=lambda pair: (pair[1], pair[0])):
        taken.append(_put_name(axes, name, place, taken))


def _put_name(axes: "Axes", name: str, place: tuple[float, float], taken: list[_Box]) -> _Box:
    """Write a name where it is free and inside the axes; return what it covers, in pixels."""
    from matplotlib.text import Text  # noqa: PLC0415 - an extra, and slow to load

    whole = axes.get_window_extent()
    for offset in _OFFSETS:
        label = axes.annotate(
            name, place, xytext=offset, textcoords="offset points", ha="left" if offset[0] > 0 else "right",
            va="center", fontsize=9.5, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
            arrowprops={"arrowstyle": "-", "color": "#AAAAAA", "linewidth": 0.7} if abs(offset[1]) > _FAR else None,
        )  # fmt: skip
        label.get_window_extent()  # puts the text in its place
        # Of the text alone: an annotation's own extent takes its line in.
        x0, y0, x1, y1 = map(float, Text.get_window_extent(label).extents)
        covers = any(x0 < right and left < x1 and y0 < top and bottom < y1 for left, bottom, right, top in taken)
        if (not covers and whole.x0 <= x0 and x1 <= whole.x1) or offset == _OFFSETS[-1]:
            break
        label.remove()
    return x0, y0, x1, y1


def _dot(  # noqa: PLR0913 - what a dot looks like
    axes: "Axes", each: ModelMeasures, measure: str, row: float, *, colour: str, shape: str, label: str
) -> None:
    value, (low, high) = each.values[measure], each.intervals[measure]
    axes.errorbar(
        [value], [row], xerr=[[max(value - low, 0)], [max(high - value, 0)]],
        fmt=shape, color=colour, markersize=6.5, capsize=3.5, elinewidth=1.8, label=label,
    )  # fmt: skip


def _figure(height_in: float) -> tuple["Figure", "Axes"]:
    from matplotlib.figure import Figure  # noqa: PLC0415 - an extra, and slow to load

    figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained")
    return figure, figure.add_subplot()


def _defined(found: Mapping[str, ModelMeasures], measure: str) -> dict[str, ModelMeasures]:
    """Leave out whose measure is undefined: there is no place for it."""
    return {name: each for name, each in found.items() if not math.isnan(each.values[measure])}


def _spelt(measure: str) -> str:
    return measure.upper()
