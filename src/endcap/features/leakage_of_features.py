"""Do features of a day know that day? They are counted anew for a sample of users and items, by plain sums over days.

Nothing here uses the code that makes features: an error there would be repeated. Where a value is not the one of the
days before its day, the same sums over other days say what went wrong.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose
from typing import Any

import ibis

from endcap.core.clock import DAY_US
from endcap.core.contract import Table
from endcap.core.tables import ITEM_FEATURES, USER_FEATURES, WINDOWS_DAYS
from endcap.engines.port import Engine
from endcap.features.findings import Finding
from endcap.features.leakage_sample import ShopTables, day_number, rows_of

__all__ = ["leaks_of_item_features", "leaks_of_user_features"]

_HISTORY_DAYS = max(WINDOWS_DAYS)
_FIRST, _LAST = -(10**9), 10**9
_TOUCHES = {"view_item": "num_views", "add_to_cart": "num_carts", "purchase": "num_purchases"}
_WHOLE_ROW = "all columns"

Row = dict[str, Any]
Span = Callable[[int, int], tuple[int, int]]
"""From a day and the length of a window to the first and the last day that are counted."""


def _clean(day: int, window: int) -> tuple[int, int]:
    return day - window, day - 1


_OTHER_SPANS: tuple[tuple[str, Span], ...] = (
    ("feature-counts-its-day", lambda day, window: (day - window, day)),
    ("feature-counts-its-day", lambda day, window: (day - window + 1, day)),
    ("feature-counts-later-days", lambda day, window: (day - window, _LAST)),
    ("feature-counts-later-days", lambda _day, _window: (_FIRST, _LAST)),
)
"""What else may have been counted, and the leak that it would be."""


@dataclass
class _Past:
    """What happened with one user or item, by day.

    Args:
        counts: Count -> day -> how many.
        active: Days with any event.
        prices: Day -> currency -> prices, minor units.
        versions: (first instant, price) of each version of the catalogue.
    """

    counts: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    active: set[int] = field(default_factory=set)
    prices: dict[int, dict[str, list[int]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    versions: list[tuple[int, int | None]] = field(default_factory=list)

    def total(self, count: str, days: tuple[int, int]) -> int:
        """Add up a count over days, both ends included."""
        return sum(num for day, num in self.counts[count].items() if days[0] <= day <= days[1])

    def last_active(self, days: tuple[int, int]) -> int | None:
        """Return the last active one of some days."""
        return max((day for day in self.active if days[0] <= day <= days[1]), default=None)


def leaks_of_user_features(engine: Engine, tables: ShopTables, users: ibis.Table) -> tuple[list[Finding], int]:
    """Look for leaks in USER_FEATURES.

    Args:
        engine: Reads the rows.
        tables: The shop.
        users: A column `user_key`: the users to look at.

    Returns:
        Findings, and how many rows were looked at.
    """
    pasts: dict[str, _Past] = defaultdict(_Past)
    for event in rows_of(engine, tables.events.semi_join(users, "user_key"), *_EVENT):
        past, day = pasts[event["user_key"]], event["at_us"] // DAY_US
        _count(past, event, day)
        if event["event_name"] == "view_item" and event["price_minor"] is not None:
            past.counts["viewed_price"][day] += event["price_minor"]
            past.counts["num_priced"][day] += 1
    for session in rows_of(engine, tables.sessions.semi_join(users, "user_key"), "user_key", "started_us"):
        pasts[session["user_key"]].counts["num_sessions"][session["started_us"] // DAY_US] += 1
    rows = rows_of(engine, tables.user_features.semi_join(users, "user_key"))
    return _judged(rows, USER_FEATURES, pasts, _user_row, set()), len(rows)


def leaks_of_item_features(engine: Engine, tables: ShopTables, items: ibis.Table) -> tuple[list[Finding], int]:
    """Look for leaks in ITEM_FEATURES.

    Args:
        engine: Reads the rows.
        tables: The shop.
        items: A column `item_id`: the items to look at.

    Returns:
        Findings, and how many rows were looked at.
    """
    pasts: dict[str, _Past] = defaultdict(_Past)
    for event in rows_of(engine, tables.events.semi_join(items, "item_id"), *_EVENT):
        past, day = pasts[event["item_id"]], event["at_us"] // DAY_US
        _count(past, event, day)
        if event["price_minor"] is not None:
            past.prices[day][event["currency"] or ""].append(event["price_minor"])
    shown = tables.exposures.semi_join(items, "item_id")
    for exposure in rows_of(engine, shown, "item_id", "at_us", "clicked", "clicked_us"):
        past, day = pasts[exposure["item_id"]], exposure["at_us"] // DAY_US
        past.counts["num_exposures"][day] += 1
        past.counts["num_clicks_ever"][day] += exposure["clicked"]
        came_us = -1 if exposure["clicked_us"] is None else exposure["clicked_us"]
        past.counts["num_clicks"][day] += came_us // DAY_US == day
    for version in rows_of(engine, tables.items.semi_join(items, "item_id"), "item_id", "valid_from_us", "price_minor"):
        pasts[version["item_id"]].versions.append((version["valid_from_us"], version["price_minor"]))
    rows = rows_of(engine, tables.item_features.semi_join(items, "item_id"))
    return _judged(rows, ITEM_FEATURES, pasts, _item_row, {"click_rate_30d", "price_minor"}), len(rows)


_EVENT = ("user_key", "item_id", "event_name", "at_us", "price_minor", "currency")


def _count(past: _Past, event: Row, day: int) -> None:
    past.active.add(day)
    if event["item_id"] is not None and event["event_name"] in _TOUCHES:
        past.counts[_TOUCHES[event["event_name"]]][day] += 1


def _windows(past: _Past, day: int, span: Span, counts: Sequence[str]) -> Row:
    return {f"{count}_{window}d": past.total(count, span(day, window)) for count in counts for window in WINDOWS_DAYS}


def _ratio(over: float, under: float) -> float | None:
    return over / under if under else None


def _user_row(past: _Past, day: int, span: Span) -> Row:
    """Return what the columns of USER_FEATURES are when the days of a span are counted."""
    row = _windows(past, day, span, ("num_sessions", *_TOUCHES.values()))
    days = span(day, _HISTORY_DAYS)
    seen = past.last_active(days)
    return row | {
        "cart_rate_30d": _ratio(row["num_carts_30d"], row["num_views_30d"]),
        "purchase_rate_30d": _ratio(row["num_purchases_30d"], row["num_views_30d"]),
        "mean_price_minor_30d": _ratio(past.total("viewed_price", days), past.total("num_priced", days)),
        "days_since_seen": None if seen is None else day - seen,
    }


def _item_row(past: _Past, day: int, span: Span) -> Row:
    """Return what the columns of ITEM_FEATURES are when the days of a span are counted."""
    row = _windows(past, day, span, ("num_exposures", *_TOUCHES.values()))
    days = span(day, _HISTORY_DAYS)
    seen = past.last_active(days)
    return row | {
        "click_rate_30d": _ratio(past.total("num_clicks", days), row["num_exposures_30d"]),
        "cart_rate_30d": _ratio(row["num_carts_30d"], row["num_views_30d"]),
        "purchase_rate_30d": _ratio(row["num_purchases_30d"], row["num_views_30d"]),
        "price_minor": _last_price(past, days),
        "days_since_first_seen": day - min(past.active, default=day),
        "days_since_seen": None if seen is None else day - seen,
    }


def _last_price(past: _Past, days: tuple[int, int]) -> int | None:
    """Return the median price of the last of some days that told one."""
    told = [day for day in past.prices if days[0] <= day <= days[1]]
    return _median(past.prices[max(told)]) if told else None


def _median(by_currency: Mapping[str, Sequence[int]]) -> int | None:
    """Return the median of the currency with most prices, rounded down."""
    if not by_currency:
        return None
    prices = sorted(by_currency[min(by_currency, key=lambda each: (-len(by_currency[each]), each))])
    return (prices[(len(prices) - 1) // 2] + prices[len(prices) // 2]) // 2


def _others(
    past: _Past, day: int, columns: set[str], make: Callable[[_Past, int, Span], Row]
) -> Iterator[tuple[str, Row]]:
    """Return what else the columns of a row might hold, each with the leak that it would be."""
    for name, span in _OTHER_SPANS:
        yield name, make(past, day, span)
    if "click_rate_30d" in columns:
        days = _clean(day, _HISTORY_DAYS)
        rate = _ratio(past.total("num_clicks_ever", days), past.total("num_exposures", days))
        yield "feature-counts-a-later-click", {"click_rate_30d": rate}
    if "price_minor" in columns:
        pooled: dict[str, list[int]] = defaultdict(list)
        for by_currency in past.prices.values():
            for currency, prices in by_currency.items():
                pooled[currency] += prices
        yield "feature-counts-later-days", {"price_minor": _median(pooled)}
        for valid_from_us, price in past.versions:
            if valid_from_us >= day * DAY_US:
                yield "price-of-a-later-version", {"price_minor": price}


def _judged(
    rows: Sequence[Row],
    table: Table,
    pasts: Mapping[str, _Past],
    make: Callable[[_Past, int, Span], Row],
    special: set[str],
) -> list[Finding]:
    """Compare every row with what it should hold; name the leak that explains most rows of each column."""
    key = table.key[0]
    faults: dict[str, list[tuple[Row, Any, list[str]]]] = defaultdict(list)
    for row in rows:
        past, day = pasts.get(row[key]) or _Past(), day_number(row["date_partition"])
        expected = make(past, day, _clean)
        wrong = [name for name in expected if not _same(name, row[name], expected[name])]
        if not wrong:
            continue
        later = make(past, day + 1, _clean)
        if all(_same(name, row[name], later[name]) for name in later):
            faults[_WHOLE_ROW].append((row, None, ["feature-of-a-later-day"]))
            continue
        others = list(_others(past, day, special, make))
        for column in wrong:
            causes = [name for name, other in others if column in other and _same(column, row[column], other[column])]
            faults[column].append((row, expected[column], causes))
    return [_told(table, column, found, len(rows)) for column, found in faults.items()]


def _same(column: str, value: Any, other: Any) -> bool:
    if value is None or other is None:
        return value is None and other is None
    # The mean is kept in whole minor units: rounded, it is at most half a unit off.
    if column == "mean_price_minor_30d":
        return bool(abs(value - other) <= 0.5 + 1e-9)
    return isclose(value, other, rel_tol=1e-9, abs_tol=1e-12)


def _told(table: Table, column: str, found: Sequence[tuple[Row, Any, list[str]]], of_rows: int) -> Finding:
    explained = Counter(cause for _, _, causes in found for cause in dict.fromkeys(causes))
    best = explained.most_common(1)
    # What explains a few rows of many may do so by accident.
    is_explained = bool(best) and 2 * best[0][1] >= len(found)
    name = best[0][0] if is_explained else "feature-not-of-its-past"
    row, expected, _ = next(each for each in found if name in each[2]) if is_explained else found[0]
    seen = (
        "every column is that of the next day" if column == _WHOLE_ROW else f"{row[column]}, from its past {expected}"
    )
    return Finding(
        name=name,
        table=table.name,
        column=column,
        rows=len(found),
        of_rows=of_rows,
        example=f"day {row['date_partition']}, {table.key[0]} {row[table.key[0]]}",
        detail=seen,
    )
