"""An evaluation as text for people: tables, and a line for each model that does not beat a reference."""

import math
from collections.abc import Sequence

from endcap.models.evaluation import Difference, Evaluation, Slice
from endcap.models.measuring import REFERENCES
from endcap.models.slices import COLD_EVENTS, LEAST_CASES

__all__ = [
    "UNTIED",
    "Rows",
    "conclusions",
    "evaluation_text",
    "lists_rows",
    "main_measure",
    "measure_rows",
    "slice_rows",
    "slices_told",
    "told",
    "verdicts",
]

Rows = list[list[str]]
"""Rows of cells under a first row of heads; the first column is of names, the others of numbers."""

_MANY_TIED = 0.1
"""Share of cases within one instant beyond which a text says so."""

_MOST_SLICES = 12
"""Slices of a segment that a table shows, those with the most cases."""

_SEEN = {"keep": "kept", "drop": "dropped"}
_LISTS = ("coverage", "gini", "novelty", "popularity", "diversity")

UNTIED = "untied"
_TOLD_SLICES = {
    UNTIED: "the target is not of the same instant as the end of the history",
    "cold_items": f"the target has at most {COLD_EVENTS} events in training",
    "new_items": "the basket holds nothing that the user has had",
    "cold_users": "the history has at most one item",
}
"""What each slice of every evaluation is, in words."""


def evaluation_text(found: Evaluation) -> str:
    """Return what was asked, the conclusions, the tables, and the verdicts."""
    parts = [told(found), *conclusions(found)]
    for rows in (measure_rows(found), lists_rows(found), slice_rows(found)):
        parts += ["", _table(rows)]
    if lines := verdicts(found):
        parts += ["", *lines]
    return "\n".join(parts)


def told(found: Evaluation) -> str:
    """Return in one line what was asked."""
    counts = found.counts
    undefined = f", {counts['undefined']:,} undefined" if counts["undefined"] else ""
    return (
        f"{found.protocol['name']}: {counts['cases']:,} cases of {counts['users']:,} users{undefined}; "
        f"all {counts['items']:,} items ranked, seen items {_SEEN[found.protocol['seen']]}"
    )


def main_measure(found: Evaluation) -> str:
    """Return the measure that verdicts are about: NDCG at the middle of the lengths."""
    ks = found.protocol["ks"]
    return f"ndcg@{ks[len(ks) // 2]}"


def measure_rows(found: Evaluation) -> Rows:
    """Return the table of hits, on all cases and on the untied ones."""
    main, longest = main_measure(found), found.protocol["ks"][-1]
    untied = found.slice_named(UNTIED)
    known = {name for each in found.models.values() for name in each.values}
    second = "recall" if f"recall@{longest}" in known else "mrr"
    columns = [f"hr@{longest}", f"{second}@{longest}", main]
    rows = [["model", *columns, f"{main} 95 %", *([f"{main} untied", "untied 95 %"] if untied else [])]]
    for name in _best_first(found):
        each = found.models[name]
        row = [name, *(_number(each.values[column]) for column in columns), _span(each.intervals[main])]
        if untied:
            apart = untied.models.get(name)
            row += [_number(apart.values[main]), _span(apart.intervals[main])] if apart else ["-", "-"]
        rows.append(row)
    return rows


def lists_rows(found: Evaluation) -> Rows:
    """Return the table of what the lists are like, those of the longest length."""
    longest = found.protocol["ks"][-1]
    known = {name for each in found.models.values() for name in each.values}
    columns = [f"{name}@{longest}" for name in _LISTS if f"{name}@{longest}" in known]
    return [["lists", *columns]] + [
        [name, *(_of_lists(column, found.models[name].values[column]) for column in columns)]
        for name in _best_first(found)
    ]


def slice_rows(found: Evaluation) -> Rows:
    """Return the table of slices, the main measure by model; one that is too small says so."""
    names = _best_first(found)
    rows = [[f"{main_measure(found)} by slice", "cases", *names]]
    for each in _shown(found.slices):
        cells = (
            ["too small", *[""] * (len(names) - 1)] if each.is_too_small else
            [_number(each.models[name].values[main_measure(found)]) for name in names]
        )  # fmt: skip
        rows.append([each.name, f"{each.cases:,}", *cells])
    return rows


def slices_told(found: Evaluation) -> dict[str, str]:
    """Return what the slices are, in words; those of a segment tell themselves."""
    return {each.name: _TOLD_SLICES[each.name] for each in found.slices if each.name in _TOLD_SLICES}


def conclusions(found: Evaluation) -> list[str]:
    """Return which model measures best, and which are clearly above both references, on the untied cases too."""
    measure, untied = main_measure(found), found.slice_named(UNTIED)
    known = {name: each.values[measure] for name, each in found.models.items() if not math.isnan(each.values[measure])}
    if not known:
        return [f"{measure} is undefined for every model"]
    best = [name for name, value in known.items() if value == max(known.values())]
    every = [*found.differences, *(untied.differences if untied else ())]
    clear = [
        name for name in found.models
        if name not in REFERENCES and all(each.intervals[measure][0] > 0 for each in every if each.first == name)
    ]  # fmt: skip
    ends = _span(found.models[best[0]].intervals[measure])
    everywhere = ", on all cases and on the untied" if untied else ""
    return [
        f"the highest {measure}: {', '.join(best)} with {known[best[0]]:.4f}, 95 % interval {ends}",
        f"clearly above {' and '.join(REFERENCES)}{everywhere}: {', '.join(clear) or 'no model'}",
    ]


def verdicts(found: Evaluation) -> list[str]:
    """Return a line for each model that is not clearly above a reference, and for what must be known besides."""
    measure, untied = main_measure(found), found.slice_named(UNTIED)
    apart = {(each.first, each.second): each for each in untied.differences} if untied else {}
    lines = [
        line for each in found.differences
        if (line := _verdict(each, apart.get((each.first, each.second)), measure))
    ]  # fmt: skip
    if found.counts["same_instant"] > _MANY_TIED * found.counts["cases"]:
        lines.append(
            f"{found.counts['same_instant']:,} cases ask for an item of the same instant as the one before, such as "
            "two lines of an order: there the order of ids can be learned, which says nothing of shoppers; look at "
            "the untied ones"
        )
    small = [each for each in found.slices if each.is_too_small and each.cases]
    if small:
        lines.append(f"too small to say anything, under {LEAST_CASES} cases: {_named(small)}")
    if hidden := len(found.slices) - len(_shown(found.slices)):
        lines.append(f"{hidden:,} smaller slices are in the JSON alone")
    return lines


def _best_first(found: Evaluation) -> list[str]:
    """Return the models by the main measure, those alike as they were asked for; undefined stands last."""
    measure = main_measure(found)
    values = {name: each.values[measure] for name, each in found.models.items()}
    return sorted(values, key=lambda name: (math.isnan(values[name]), -values[name]))


def _shown(slices: Sequence[Slice]) -> list[Slice]:
    """Return the slices of every evaluation, and of a segment those with the most cases."""
    always = [each for each in slices if each.name in _TOLD_SLICES]
    others = sorted((each for each in slices if each.name not in _TOLD_SLICES), key=lambda each: -each.cases)
    return always + others[:_MOST_SLICES]


def _named(slices: Sequence[Slice]) -> str:
    shown = ", ".join(f"{each.name} ({each.cases:,})" for each in slices[:_MOST_SLICES])
    return shown + (f" and {len(slices) - _MOST_SLICES:,} more" if len(slices) > _MOST_SLICES else "")


def _verdict(difference: Difference, untied: Difference | None, measure: str) -> str | None:
    """Say so when a model is not clearly above a reference, on all cases or on those that are untied."""
    everywhere, apart = _standing(difference, measure), _standing(untied, measure)
    if everywhere is None and apart is None:
        return None
    second = f"{difference.second}: {measure} {_gap(difference, measure)}"
    if untied is None or _gap(untied, measure) == _gap(difference, measure):
        return f"{difference.first} {everywhere} {second}"
    other = f"untied {_gap(untied, measure)}"
    if everywhere == apart:
        return f"{difference.first} {everywhere} {second}, {other}"
    words = f"{difference.first} {everywhere or 'is above'} {second}"
    return f"{words}; on untied cases it {apart or 'is above'}: {other}"


def _standing(difference: Difference | None, measure: str) -> str | None:
    """Return in words how a model stands; None where it is clearly above, or nothing can be said."""
    if difference is None:
        return None
    low, high = difference.intervals[measure]
    if low > 0 or math.isnan(low):
        return None
    return "is below" if high < 0 else "is not clearly above"


def _gap(difference: Difference, measure: str) -> str:
    low, high = difference.intervals[measure]
    return f"{difference.values[measure]:+.4f} [{low:+.4f}, {high:+.4f}]"


def _table(rows: Rows) -> str:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for row in rows:
        first, *others = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join([first.lstrip().ljust(widths[0]), *others]).rstrip())
    return "\n".join(lines)


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.4f}"


def _of_lists(measure: str, value: float) -> str:
    # Shares of events are small numbers in a large shop.
    return f"{value:.2%}" if measure.startswith("popularity") and not math.isnan(value) else _number(value)


def _span(ends: tuple[float, float]) -> str:
    return "-" if math.isnan(ends[0]) else f"{ends[0]:.4f}..{ends[1]:.4f}"
