"""The profile of a day: whole numbers that say how many rows came, what they lack, and how their values lie."""

from collections.abc import Iterable, Mapping
from typing import Any

import ibis

from endcap.core.tables import EVENTS
from endcap.engines.port import Engine

__all__ = ["LATENESS", "MIXED", "NULLABLE", "OTHERS", "RANGED", "TOP", "profile_events", "profile_intake"]

RANGED = ("price_minor", "quantity", "value_minor", "place")
"""Columns of numbers of which a profile tells how they lie."""

NULLABLE = tuple(column.name for column in EVENTS.columns if column.nullable)
"""Columns of which a profile tells how often they are missing."""

MIXED = ("currency", "country", "device_category")
"""Columns of which a profile tells which values they have."""

LATENESS = "lateness_us"
"""received_us - at_us of an event, microseconds."""

TOP, OTHERS = 20, "others"
"""How many values of a mixed column are counted by themselves, and the measure of all that come after."""

_DAY = "date_partition"
_HOUR_US, _DAY_US = 3_600_000_000, 86_400_000_000
_QUANTILES = {"p1": 0.01, "p50": 0.5, "p95": 0.95, "p99": 0.99}
_OF_ROWS = ("price_minor", "quantity", "place")


def profile_events(engine: Engine, events: ibis.Table) -> list[dict[str, Any]]:
    """Profile whole days of events.

    Counts of visitors, items, hours and lateness are of events; what is missing is counted in rows (event x item);
    price, quantity and place are of rows, value is of events.

    Args:
        engine: Computes it.
        events: EVENTS of whole days.

    Returns:
        Rows of QUALITY of these days, without those whose value is a count of zero.
    """
    single = engine.materialise(_single_events(events))
    try:
        found = [
            *_told(engine, _row_measures(events)),
            *_told(engine, _event_measures(single)),
            *_whole_day(engine, single),
        ]
        for column in MIXED:
            found += _mix(engine, single, column)
    finally:
        engine.drop(single)
    return found


def profile_intake(day: str, counts: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """Return what became of a day's source rows as rows of QUALITY.

    Args:
        day: The UTC day.
        counts: The source's event name -> `events_<outcome>` and `rows_<outcome>` -> number, as ingest left them.
    """
    return [
        _row(day, event_name, "", f"intake:{name}", count)
        for event_name, sums in counts.items()
        for name, count in sums.items()
        if count
    ]


def _row(day: str, event_name: str, column: str, measure: str, value: int) -> dict[str, Any]:
    return {_DAY: day, "event_name": event_name, "column_name": column, "measure": measure, "value": value}


def _single_events(events: ibis.Table) -> ibis.Table:
    """Return one row for each event; what its rows tell differently is told by the greatest."""
    told = {name: events[name].max() for name in ("event_name", "user_key", "at_us", "received_us", "value_minor")}
    mixed = {name: events[name].max() for name in MIXED}
    single = events.group_by(_DAY, "event_id").aggregate(**told, **mixed)
    hour = ((single.at_us - single.at_us % _HOUR_US) / _HOUR_US).cast("int64") % 24
    received_day = single.received_us - single.received_us % _DAY_US
    return single.mutate(
        hour=hour,
        lateness_us=single.received_us - single.at_us,
        is_of_other_day=received_day != single.at_us - single.at_us % _DAY_US,
    )


def _row_measures(events: ibis.Table) -> list[ibis.Table]:
    """Return, by event name and for the whole day, what is counted in rows."""
    measures = {"|rows": events.count(), "|items": events.item_id.nunique()}
    measures |= {f"{name}|missing": _count(events[name].isnull()) for name in NULLABLE}
    for name in _OF_ROWS:
        measures |= _ranges(events[name], name)
    return [events.group_by(*keys).aggregate(**measures) for keys in ((_DAY, "event_name"), (_DAY,))]


def _event_measures(single: ibis.Table) -> list[ibis.Table]:
    """Return, by event name and for the whole day, what is counted in events."""
    measures = {"|events": single.count(), "|visitors": single.user_key.nunique()}
    measures |= _ranges(single.value_minor, "value_minor")
    return [single.group_by(*keys).aggregate(**measures) for keys in ((_DAY, "event_name"), (_DAY,))]


def _ranges(values: Any, name: str) -> dict[str, Any]:
    quantiles = values.quantile(list(_QUANTILES.values()))
    return {
        f"{name}|known": values.count(),
        f"{name}|min": values.min(),
        f"{name}|max": values.max(),
        f"{name}|": quantiles,  # a list: one pass for all of them
    }


def _whole_day(engine: Engine, single: ibis.Table) -> list[dict[str, Any]]:
    """Return what is told of the whole day alone: lateness and the events of each hour."""
    late = single.lateness_us
    lateness = single.group_by(_DAY).aggregate(
        **{
            f"{LATENESS}|": late.quantile(list(_QUANTILES.values())),
            f"{LATENESS}|max": late.max(),
            f"{LATENESS}|over_hour": _count(late > _HOUR_US),
            f"{LATENESS}|over_day": _count(late > _DAY_US),
            f"{LATENESS}|other_day": _count(single.is_of_other_day),
        }
    )
    by_hour = engine.to_arrow(single.group_by(_DAY, "hour").aggregate(num=single.count())).to_pylist()
    hours = [_row(row[_DAY], "", "at_us", f"hour:{row['hour']:02d}", row["num"]) for row in by_hour]
    return [*_told(engine, [lateness]), *hours]


def _mix(engine: Engine, single: ibis.Table, column: str) -> list[dict[str, Any]]:
    """Return the events of the most frequent values of a column, and of all the others together."""
    counted = single.group_by(_DAY, column).aggregate(num=single.count())
    place = ibis.row_number().over(group_by=_DAY, order_by=[ibis.desc("num"), counted[column].fill_null("")])
    cut = counted.mutate(is_top=place < TOP)
    name = ibis.cases((~cut.is_top, OTHERS), else_=ibis.literal("value:") + cut[column].fill_null(""))
    summed = cut.mutate(measure=name).group_by(_DAY, "measure").aggregate(num=cut.num.sum().cast("int64"))
    return [_row(row[_DAY], "", column, row["measure"], int(row["num"])) for row in engine.to_arrow(summed).to_pylist()]


def _told(engine: Engine, wide: Iterable[ibis.Table]) -> list[dict[str, Any]]:
    """Turn columns `column|measure` into rows; a list holds the quantiles."""
    rows = []
    for table in wide:
        for found in engine.to_arrow(table).to_pylist():
            day, event_name = found.pop(_DAY), found.pop("event_name", "")
            for name, value in found.items():
                column, measure = name.split("|")
                if value is None:
                    continue
                many = dict(zip(_QUANTILES, value, strict=True)) if isinstance(value, list) else {measure: value}
                rows += [_row(day, event_name, column, each, int(number // 1)) for each, number in many.items()
                         if number is not None and (number or each in _VALUES)]  # fmt: skip
    return rows


_VALUES = {*_QUANTILES, "min", "max"}
"""Measures whose zero is a value and no count of nothing."""


def _count(holds: Any) -> Any:
    # Ibis takes the sum of int64 for an int64, DuckDB makes 128 bits of it; both agree on a decimal in between.
    return holds.cast("int64").sum().cast("decimal(38, 0)").cast("int64")
