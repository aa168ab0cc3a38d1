"""The evidence beside the conclusions on a day: tables of numbers, the same for the terminal and for the page."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from endcap.monitoring.figures import Profile, event_names, hours, profiles_of, reasons, top_values
from endcap.monitoring.profile import LATENESS, MIXED, NULLABLE, RANGED
from endcap.monitoring.quality import Judged, QualityReport, judge_day, told
from endcap.monitoring.verdict import Tone

__all__ = ["Cell", "DayQuality", "Evidence", "day_quality"]

_TOP_SHOWN = 5
_S_US = 1_000_000
_LATE = {
    "over_hour": "later than an hour",
    "over_day": "later than a day",
    "other_day": "received on another day",
}


class Cell(msgspec.Struct, frozen=True):
    """One cell of a table.

    Args:
        text: What stands in it.
        tone: How serious it is.
        series: Numbers to be drawn small, oldest first, in the place of a text; empty for none.
    """

    text: str = ""
    tone: Tone = Tone.GOOD
    series: list[float | None] = []


class Evidence(msgspec.Struct, frozen=True):
    """One table.

    Args:
        title: What it tells.
        heads: Heads of its columns; the first column names the rows.
        rows: Its rows.
        num_named: How many columns from the left are names; all others are numbers.
    """

    title: str
    heads: list[str]
    rows: list[list[Cell]]
    num_named: int = 1


class DayQuality(msgspec.Struct, frozen=True):
    """A day judged, with the numbers that it was judged by; `msgspec.json.encode` writes it.

    Args:
        report: The conclusions.
        tables: The numbers.
        hours: Events of each hour of the day, UTC.
        hours_before: Median events of each hour over the days looked at; empty without any.
    """

    report: QualityReport
    tables: list[Evidence]
    hours: list[int]
    hours_before: list[float]


def day_quality(day: str, rows: Iterable[Mapping[str, Any]]) -> DayQuality:
    """Judge a day and lay out its numbers.

    Args:
        day: The UTC day, which has a profile.
        rows: Rows of QUALITY of the day and of the DAYS_NEEDED days before.
    """
    kept = list(rows)
    known = profiles_of(kept)
    report = judge_day(day, kept)
    profiles = [known.get(each) for each in report.days]
    today = known[day]
    judged = {(each.group, each.event_name, each.column): each for each in report.figures}
    tables = [
        _events(today, event_names(profiles), report),
        _intake(today),
        _reasons(today, profiles, judged),
        _missing(today, judged),
        _ranges(today, judged),
        _lateness(today, judged),
        *(_mix(today, profiles, column) for column in MIXED),
    ]
    before = [hours(profile) for profile in profiles[:-1] if profile]
    usual_hours = [_median([each[hour] for each in before]) for hour in range(24)] if before else []
    return DayQuality(report, [table for table in tables if table.rows], hours(today), usual_hours)


_Judgements = Mapping[tuple[str, str, str], Judged]


def _median(values: Sequence[int]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return float(ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2)


def _usual(judged: Judged | None) -> Cell:
    if judged is None or judged.low is None or judged.high is None:
        return Cell("-")
    return Cell(f"{told(judged.low, judged.scale)} to {told(judged.high, judged.scale)}")


def _trend(judged: Judged | None) -> Cell:
    return Cell(series=list(judged.values)) if judged else Cell()


def _tone(judged: Judged | None) -> Tone:
    return judged.check.tone if judged else Tone.GOOD


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _events(today: Profile, names: Sequence[str], report: QualityReport) -> Evidence:
    """Lay out how much came, by event name."""
    judged = {each.name: each for each in report.figures if each.group == "volume"}
    rows = []
    for name in ["", *names]:
        own = judged.get(f"Events of {name}" if name else "Events")
        counts = (_number(today.count(name, "", what)) for what in ("events", "rows", "visitors", "items"))
        events, *others = (Cell(text) for text in counts)
        marked = Cell(events.text, _tone(own))
        rows.append([Cell(name or "all events"), marked, _usual(own), _trend(own), *others])
    return Evidence("Events", ["event", "events", "usual", "last weeks", "rows", "visitors", "items"], rows)


def _intake(today: Profile) -> Evidence:
    """Lay out what became of the source's events, by the source's own names."""
    outcomes = ("read", "kept", "folded", "deduplicated", "quarantined", "ignored")
    sums: dict[str, dict[str, int]] = {}
    for (name, _, measure), count in today.numbers.items():
        kind, _, rest = measure.partition(":")
        unit, _, outcome = rest.partition(":")[0].partition("_")
        if kind == "intake" and unit == "events":
            own = sums.setdefault(name, {})
            own[outcome] = own.get(outcome, 0) + count
    order = sorted(sums, key=lambda name: (-sums[name].get("read", 0), name))
    total = {outcome: sum(own.get(outcome, 0) for own in sums.values()) for outcome in outcomes}
    lines = [("all events", total), *((name or "(no name)", sums[name]) for name in order)] if sums else []
    rows = [[Cell(name), *(Cell(_number(own.get(outcome, 0))) for outcome in outcomes)] for name, own in lines]
    return Evidence("What became of the source's events", ["event of the source", *outcomes], rows)


def _reasons(today: Profile, profiles: Sequence[Profile | None], judged: _Judgements) -> Evidence:
    """Lay out why rows went into quarantine or were ignored: on the day, and on the days before."""
    rows = []
    for outcome in ("quarantined", "ignored"):
        for reason in reasons(profiles, outcome):
            own = judged.get((outcome, "", reason))
            count = today.intake(f"rows_{outcome}:{reason}")
            share = Cell(told(own.value if own else None, "share"), _tone(own))
            rows.append([Cell(reason), Cell(outcome), Cell(_number(count)), share, _usual(own), _trend(own)])
    return Evidence("Why rows did not count", ["reason", "outcome", "rows", "share", "usual", "last weeks"], rows, 2)


def _missing(today: Profile, judged: _Judgements) -> Evidence:
    """Lay out the share of rows without a value, by column and event name."""
    names = event_names([today])
    rows = []
    for column in NULLABLE:
        cells = []
        for name in names:
            count, num = today.count(name, column, "missing"), today.count(name, "", "rows")
            cells.append(
                Cell(told(count / num if num else None, "share"), _tone(judged.get(("missing", name, column))))
            )
        rows.append([Cell(column), *cells])
    return Evidence("Share of rows without a value", ["column", *names], rows if names else [])


def _ranges(today: Profile, judged: _Judgements) -> Evidence:
    """Lay out how values lie."""
    rows = []
    for name in event_names([today]):
        for column in RANGED:
            known = today.count(name, column, "known")
            if not known:
                continue
            middle, top = judged.get(("p50", name, column)), judged.get(("p99", name, column))
            tones = {"p50": _tone(middle), "p99": _tone(top)}
            measures = ("min", "p1", "p50", "p99", "max")
            cells = [Cell(_number(today.value(name, column, each)), tones.get(each, Tone.GOOD)) for each in measures]
            rows.append([Cell(name), Cell(column), Cell(_number(known)), *cells, _usual(middle), _trend(middle)])
    heads = ["event", "column", "known", "least", "1 %", "median", "99 %", "greatest", "usual median", "last weeks"]
    return Evidence("How values lie (amounts in minor units)", heads, rows, 2)


def _lateness(today: Profile, judged: _Judgements) -> Evidence:
    """Lay out how late events came."""
    if not today.count("", "", "events"):
        return Evidence("Lateness", [], [])
    rows = []
    for measure, what in (("p50", "median"), ("p95", "95 %"), ("max", "greatest")):
        value = today.value("", LATENESS, measure) or 0
        rows.append([Cell(f"{what}, seconds"), Cell(f"{value / _S_US:,.1f}"), Cell("-"), Cell()])
    for measure, what in _LATE.items():
        own = judged.get(("lateness", "", measure))
        share = Cell(told(own.value if own else None, "share"), _tone(own))
        rows.append([Cell(f"share {what}"), share, _usual(own), _trend(own)])
    return Evidence("Lateness: received after it happened", ["what", "value", "usual", "last weeks"], rows)


def _mix(today: Profile, profiles: Sequence[Profile | None], column: str) -> Evidence:
    """Lay out the most frequent values of a column."""
    num, rows = today.count("", "", "events"), []
    for value, count in top_values(today, column)[:_TOP_SHOWN]:
        measure = value if value == "others" else f"value:{value}"
        shares: list[float | None] = [
            day.count("", column, measure) / day.count("", "", "events")
            if day and day.count("", "", "events")
            else None
            for day in profiles
        ]
        cells = [Cell(value[:40] or "(missing)"), Cell(_number(count)), Cell(told(count / num, "share"))]
        rows.append([*cells, Cell(series=shares)])
    return Evidence(f"Events by {column}", [column, "events", "share", "last weeks"], rows)
