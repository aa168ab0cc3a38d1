"""Can a day's data be trusted, and what changed? Each figure of its profile against its own last four weeks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from endcap.core.clock import days_between, next_day
from endcap.monitoring.figures import Figure, Profile, figures, hours, profiles_of
from endcap.monitoring.usual import DAYS_LOOKED_AT, LEAST_DAYS, Scale, Usual, usual
from endcap.monitoring.verdict import Check, Tone, verdict

__all__ = ["DAYS_NEEDED", "Judged", "QualityReport", "judge_day", "told"]

DAYS_NEEDED = DAYS_LOOKED_AT + 7
"""How many days before a day are looked at: the mix of each is compared with the week before it."""

_DARK_HOURS = 3


class Judged(msgspec.Struct, frozen=True):
    """A figure and what is to be said of it.

    Args:
        name: What it is.
        group: Which part of the report it belongs to.
        event_name: The event it is of; "" for the whole day.
        column: The column, reason or measure it is of; "" for none.
        check: The conclusion.
        low: Least usual value; None where too little history says what is usual.
        high: Greatest usual value.
        values: The values of the last 35 days and the day itself, oldest first; None where there is none.
        scale: Whether it is a count, a share (0..1), a level in the column's unit, or a distance (0..1).
    """

    name: str
    group: str
    event_name: str
    column: str
    check: Check
    low: float | None
    high: float | None
    values: list[float | None]
    scale: str

    @property
    def value(self) -> float | None:
        """The day's value."""
        return self.values[-1]


class QualityReport(msgspec.Struct, frozen=True):
    """What is to be said of a day; `msgspec.json.encode` writes it.

    Args:
        day: The UTC day.
        overall: The conclusion.
        checks: Whether days before are missing, and whether hours are.
        findings: The figures outside their usual range, the farthest first.
        figures: All figures, in the order of the report.
        days: The days that `values` of figures are of, oldest first.
    """

    day: str
    overall: Check
    checks: list[Check]
    findings: list[Judged]
    figures: list[Judged]
    days: list[str]


def judge_day(day: str, rows: Iterable[Mapping[str, Any]]) -> QualityReport:
    """Judge a day.

    Args:
        day: The UTC day, which has a profile.
        rows: Rows of QUALITY of the day and of the DAYS_NEEDED days before; others do not matter.
    """
    known = profiles_of(rows)
    window = days_between(next_day(day, -DAYS_NEEDED), day)
    profiles = [known.get(each) for each in window]
    judged, distances = [], []
    for figure in figures(profiles):
        range_ = usual(figure.scale, figure.values[-1 - DAYS_LOOKED_AT : -1], num=figure.num)
        check, distance = _judge(figure, range_)
        low, high = (range_.low, range_.high) if range_ else (None, None)
        values, scale = list(figure.values), figure.scale.value
        judged.append(Judged(figure.name, figure.group, *figure.key, check, low, high, values, scale))
        distances.append(distance)
    order = sorted(range(len(judged)), key=lambda at: (judged[at].check.tone is not Tone.BAD, -distances[at], at))
    findings = [judged[at] for at in order if judged[at].check.tone is not Tone.GOOD]
    history = profiles[-1 - DAYS_LOOKED_AT : -1]
    checks = [_days(window[-1 - DAYS_LOOKED_AT : -1], history), _hours(profiles)]
    return QualityReport(day, _overall(day, history, judged, findings, checks), checks, findings, judged, window)


def told(value: float | None, scale: str) -> str:
    """Return a value as people read it.

    >>> told(1234.4, "count"), told(0.01234, "share"), told(0.00004, "share"), told(None, "level")
    ('1,234', '1.2%', '0.0040%', '-')
    """
    if value is None:
        return "-"
    if scale == Scale.SHARE.value:
        percent = 100 * value
        digits = 1 if percent >= 0.1 or percent == 0 else 4
        return f"{percent:.{digits}f}%"
    return f"{value:.3f}" if scale == Scale.DISTANCE.value else f"{value:,.0f}"


def _judge(figure: Figure, range_: Usual | None) -> tuple[Check, float]:
    """Return the conclusion, and how far outside the usual range the figure is in widths to the far border."""
    value = figure.values[-1]
    numbers = {"figure": figure.name, "shown": told(value, figure.scale.value)}
    if range_ is None or value is None:
        num_days = sum(each is not None for each in figure.values[-1 - DAYS_LOOKED_AT : -1])
        return verdict("figure", "young", value, num_days=num_days, **numbers), 0.0
    low, high = (told(each, figure.scale.value) for each in (range_.low, range_.high))
    if value > range_.high:
        distance = (value - range_.high) / max(range_.far_high - range_.high, 1e-12)
        state = "far" if value > range_.far_high else "unusual"
    elif value < range_.low and figure.is_two_sided:
        distance = (range_.low - value) / max(range_.low - range_.far_low, 1e-12)
        state = "far" if value < range_.far_low else "unusual"
    else:
        distance, state = 0.0, "usual"
    return verdict("figure", state, value, low=low, high=high, **numbers), distance


def _days(window: Sequence[str], history: Sequence[Profile | None]) -> Check:
    """Judge whether days are missing between those that are there."""
    first = next((at for at, profile in enumerate(history) if profile), len(history))
    gaps = [day for day, profile in zip(window[first:], history[first:], strict=True) if profile is None]
    if gaps:
        return verdict("days", "gaps", len(gaps), days=", ".join(gaps))
    return verdict("days", "complete", 0, num_days=len(history) - first)


def _hours(profiles: Sequence[Profile | None]) -> Check:
    """Judge whether hours without events usually have some."""
    by_hour = [hours(profile) if profile else [None] * 24 for profile in profiles]
    silent, is_known = [], False
    for hour in range(24):
        range_ = usual(Scale.COUNT, [day[hour] for day in by_hour[-1 - DAYS_LOOKED_AT : -1]], num=0)
        is_known = is_known or range_ is not None
        if range_ and not by_hour[-1][hour] and range_.low > 0:
            silent.append(f"{hour:02d}")
    if not is_known:
        return verdict("hours", "young", None, num=sum(not count for count in by_hour[-1]))
    state = "full" if not silent else "silent" if len(silent) < _DARK_HOURS else "dark"
    return verdict("hours", state, len(silent), hours=", ".join(silent))


def _overall(
    day: str,
    history: Sequence[Profile | None],
    judged: Sequence[Judged],
    findings: Sequence[Judged],
    checks: Sequence[Check],
) -> Check:
    num_days = sum(profile is not None for profile in history)
    if num_days < LEAST_DAYS:
        return verdict("data", "young", None, day=day, num_days=num_days, needed=LEAST_DAYS)
    off = [check for check in checks if check.tone is not Tone.GOOD]
    tones = {finding.check.tone for finding in findings} | {check.tone for check in off}
    numbers: dict[str, float | str] = {
        "day": day,
        "num": sum(each.low is not None for each in judged),
        "num_off": len(findings),
    }
    if not tones:
        return verdict("data", "usual", 0.0, **numbers)
    worst = findings[0].check.sentence if findings else off[0].sentence
    state = "broken" if Tone.BAD in tones else "changed"
    return verdict("data", state, float(len(findings)), worst=worst.rstrip("."), **numbers)
