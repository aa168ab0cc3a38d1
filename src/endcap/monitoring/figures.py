"""The figures of a day's quality: which there are, and what each was on the days before."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from endcap.metrics.divergence import jensen_shannon
from endcap.monitoring.profile import LATENESS, MIXED, NULLABLE, OTHERS, RANGED
from endcap.monitoring.usual import Scale

__all__ = ["Figure", "Profile", "event_names", "figures", "hours", "profiles_of", "reasons", "top_values"]

_DAYS_MIXED = 7


@dataclass(frozen=True)
class Profile:
    """The numbers of one day.

    Args:
        numbers: (event name, column, measure) -> value; a count that is not there is zero.
    """

    numbers: Mapping[tuple[str, str, str], int]

    def count(self, event_name: str, column: str, measure: str) -> int:
        """Return a count."""
        return self.numbers.get((event_name, column, measure), 0)

    def value(self, event_name: str, column: str, measure: str) -> int | None:
        """Return a value that is no count; None where nothing was there to measure."""
        return self.numbers.get((event_name, column, measure))

    def intake(self, name: str) -> int:
        """Return a count of the intake, added up over the source's event names."""
        return sum(count for (_, _, measure), count in self.numbers.items() if measure == f"intake:{name}")


@dataclass(frozen=True)
class Figure:
    """One figure and its history.

    Args:
        name: What it is, as people read it.
        group: Which part of the report it belongs to.
        key: Event name and column, where it is of one.
        scale: On which scale it is judged.
        values: Its values from the first day looked at to the day itself; None where there is none.
        num: How many things it was taken of on the day.
        is_two_sided: Whether less than usual is worth a look too.
    """

    name: str
    group: str
    key: tuple[str, str]
    scale: Scale
    values: Sequence[float | None]
    num: float = 0.0
    is_two_sided: bool = True


Days = Sequence[Profile | None]
"""Profiles from the first day looked at to the day itself; None where there is none."""


def profiles_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, Profile]:
    """Return day -> its profile, from rows of QUALITY."""
    by_day: dict[str, dict[tuple[str, str, str], int]] = {}
    for row in rows:
        key = (row["event_name"], row["column_name"], row["measure"])
        by_day.setdefault(row["date_partition"], {})[key] = row["value"]
    return {day: Profile(numbers) for day, numbers in sorted(by_day.items())}


def event_names(days: Days) -> list[str]:
    """Return the names of the events that any of the days has, most frequent first."""
    sums: dict[str, int] = {}
    for profile in days:
        for (name, column, measure), count in profile.numbers.items() if profile else ():
            if name and (column, measure) == ("", "events"):
                sums[name] = sums.get(name, 0) + count
    return sorted(sums, key=lambda name: (-sums[name], name))


def reasons(days: Days, outcome: str = "quarantined") -> list[str]:
    """Return the reasons for which rows of any of the days were quarantined (or ignored), ascending."""
    begin = f"intake:rows_{outcome}:"
    found = {measure for profile in days if profile for _, _, measure in profile.numbers if measure.startswith(begin)}
    return sorted(measure.removeprefix(begin) for measure in found)


def top_values(profile: Profile, column: str) -> list[tuple[str, int]]:
    """Return the values of a mixed column and their events, most frequent first; the others come last."""
    own = {
        measure: count
        for (name, of, measure), count in profile.numbers.items()
        if not name and of == column and (measure.startswith("value:") or measure == OTHERS)
    }
    ordered = sorted(own.items(), key=lambda pair: (pair[0] == OTHERS, -pair[1], pair[0]))
    return [(measure.removeprefix("value:"), count) for measure, count in ordered]


def hours(profile: Profile) -> list[int]:
    """Return the events of each hour of the day, UTC."""
    return [profile.count("", "at_us", f"hour:{hour:02d}") for hour in range(24)]


def figures(days: Days) -> list[Figure]:
    """Return all figures of the last of some days, with their histories.

    Args:
        days: Profiles from the first day looked at to the day itself, which has one.
    """
    names = event_names(days)
    return [
        *_volume(days, names),
        *_intake(days),
        *_lateness(days),
        *(figure for name in names for column in NULLABLE for figure in _missing(days, name, column)),
        *(figure for name in names for column in RANGED for figure in _levels(days, name, column)),
        *_mixes(days, names),
    ]


def _series(days: Days, measured: Callable[[Profile], float | None]) -> list[float | None]:
    return [None if profile is None else measured(profile) for profile in days]


def _counted(days: Days, name: str, group: str, key: tuple[str, str, str]) -> Figure:
    return Figure(name, group, key[:2], Scale.COUNT, _series(days, lambda day: day.count(*key)))


def _volume(days: Days, names: Sequence[str]) -> list[Figure]:
    return [
        _counted(days, "Events", "volume", ("", "", "events")),
        _counted(days, "Visitors", "volume", ("", "", "visitors")),
        _counted(days, "Items", "volume", ("", "", "items")),
        *(_counted(days, f"Events of {name}", "volume", (name, "", "events")) for name in names),
    ]


def _share(count: int, num: int) -> float | None:
    return count / num if num else None


def _share_of(part: tuple[str, str, str], whole: tuple[str, str, str]) -> Callable[[Profile], float | None]:
    return lambda day: _share(day.count(*part), day.count(*whole))


def _share_read(name: str, unit: str) -> Callable[[Profile], float | None]:
    return lambda day: _share(day.intake(name), day.intake(f"{unit}_read"))


def _intake(days: Days) -> list[Figure]:
    """Return the shares of what was read that went another way than into `events`."""
    today = days[-1]
    assert today is not None
    found = []
    for what, name, is_two_sided in (
        ("Duplicates among events read", "events_deduplicated", False),
        ("Folded events among events read", "events_folded", True),
    ):
        series = _series(days, _share_read(name, "events"))
        num = today.intake("events_read")
        found.append(Figure(what, "intake", ("", ""), Scale.SHARE, series, num, is_two_sided))
    for outcome, what in (("quarantined", "Rows quarantined for"), ("ignored", "Rows ignored for")):
        for reason in reasons(days, outcome):
            name = f"rows_{outcome}:{reason}"
            series = _series(days, _share_read(name, "rows"))
            num, key = today.intake("events_read"), ("", reason)
            found.append(Figure(f"{what} {reason}", outcome, key, Scale.SHARE, series, num, outcome == "ignored"))
    return found


def _lateness(days: Days) -> list[Figure]:
    measures = {
        "over_hour": "Events more than an hour late",
        "over_day": "Events more than a day late",
        "other_day": "Events received on another day",
    }
    today = days[-1]
    num = today.count("", "", "events") if today else 0
    return [
        Figure(
            name,
            "lateness",
            ("", measure),
            Scale.SHARE,
            _series(days, _share_of(("", LATENESS, measure), ("", "", "events"))),
            num,
            is_two_sided=False,
        )
        for measure, name in measures.items()
    ]  # fmt: skip


def _missing(days: Days, name: str, column: str) -> list[Figure]:
    """Return the share of an event's rows that lack a column, unless it was the same 0 or 1 on every day."""
    series = _series(days, _share_of((name, column, "missing"), (name, "", "rows")))
    if {value for value in series if value is not None} in ({0.0}, {1.0}, set()):
        return []
    # Rows of one event lack the same: chance is that of events.
    num = days[-1].count(name, "", "events") if days[-1] else 0
    return [Figure(f"Missing {column} of {name}", "missing", (name, column), Scale.SHARE, series, num)]


def _levels(days: Days, name: str, column: str) -> list[Figure]:
    """Return how the values of a column lie: in the middle, and where its highest hundredth begins."""
    num = days[-1].count(name, column, "known") if days[-1] else 0
    what = {"p50": (f"Median {column} of {name}", num), "p99": (f"Highest 1 % of {column} of {name}", num / 25)}
    found = []
    for measure, (told, weight) in what.items():
        series = _series(days, _value_of((name, column, measure)))
        if any(value is not None for value in series):
            found.append(Figure(told, measure, (name, column), Scale.LEVEL, series, weight))
    return found


def _value_of(key: tuple[str, str, str]) -> Callable[[Profile], float | None]:
    return lambda day: day.value(*key)


def _mixes(days: Days, names: Sequence[str]) -> list[Figure]:
    """Return how far the values of each day lie from those of the 7 days before it."""
    today = days[-1]
    num = today.count("", "", "events") if today else 0

    parts: dict[str, Callable[[Profile], dict[str, int]]] = {
        "event_name": lambda day: {name: day.count(name, "", "events") for name in names}
    }
    parts |= {column: partial(_top, column) for column in MIXED}
    return [
        Figure(f"Change of the mix of {column}", "mix", ("", column), Scale.DISTANCE,
               [_distance(days, at, counted) for at in range(len(days))], num, is_two_sided=False)
        for column, counted in parts.items()
    ]  # fmt: skip


def _top(column: str, day: Profile) -> dict[str, int]:
    return dict(top_values(day, column))


def _distance(days: Days, at: int, counted: Callable[[Profile], dict[str, int]]) -> float | None:
    """Return the root of the Jensen-Shannon divergence, 0..1, between a day and the 7 days before it."""
    today, before = days[at], [day for day in days[max(0, at - _DAYS_MIXED) : at] if day]
    if today is None or not before:
        return None
    sums: dict[str, int] = {}
    for day in before:
        for value, count in counted(day).items():
            sums[value] = sums.get(value, 0) + count
    own = counted(today)
    values = sorted(own | sums)
    if not sum(own.values()) or not sum(sums.values()):
        return None
    return float(jensen_shannon([own.get(each, 0) for each in values], [sums.get(each, 0) for each in values]) ** 0.5)
