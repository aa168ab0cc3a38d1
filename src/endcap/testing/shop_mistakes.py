"""Mistakes that people make with a shop's tables, made with those of `leaky_shop`: what a check for leakage must find.

Each takes the clean tables and gives back those that somebody has made wrongly.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from endcap.core.clock import DAY_US, next_day
from endcap.core.tables import TABLES
from endcap.engines.port import Engine, arrow_schema
from endcap.testing.leaky_shop import DAYS, Rows, Tables, keyed, refreshed

__all__ = ["MISTAKES", "MORE_MISTAKES", "Mistake", "broken_shop"]

_MINUTE_US = 60_000_000


def _with(tables: Tables, name: str, rows: Rows) -> Tables:
    return {**tables, name: pa.Table.from_pylist(rows, arrow_schema(TABLES[name]))}


def _changed(tables: Tables, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Tables:
    return _with(tables, name, [{**row, **change(row)} for row in tables[name].to_pylist()])


def _tally(tables: Tables, key: str, event_name: str) -> Counter[tuple[str, str]]:
    return Counter((row[key], row["date_partition"]) for row in tables["events"].to_pylist()
                   if row["event_name"] == event_name)  # fmt: skip


def _windows_with_less_or_equal(tables: Tables) -> Tables:
    """Windows of views end with the day itself: `<=` in the place of `<`."""
    views = _tally(tables, "user_key", "view_item")

    def change(row: dict[str, Any]) -> dict[str, Any]:
        today = views[row["user_key"], row["date_partition"]]
        return {name: row[name] + today for name in ("num_views_1d", "num_views_7d", "num_views_30d")}

    return _changed(tables, "user_features", change)


def _click_counted_the_evening_before(tables: Tables) -> Tables:
    """Click rates count `clicked` on the day of the list, though the click may have come after midnight."""
    shown: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for row in tables["exposures"].to_pylist():
        shown[row["item_id"], row["date_partition"]].append(row["clicked"])

    def change(row: dict[str, Any]) -> dict[str, Any]:
        before = [flag for (item, day), flags in shown.items() for flag in flags
                  if item == row["item_id"] and day < row["date_partition"]]  # fmt: skip
        return {"click_rate_30d": sum(before) / len(before) if before else None}

    return _changed(tables, "item_features", change)


def _median_price_of_the_whole_period(tables: Tables) -> Tables:
    """The price is the median over all events there are, those of later days too."""
    prices: dict[str, list[int]] = defaultdict(list)
    for row in tables["events"].to_pylist():
        prices[row["item_id"]].append(row["price_minor"])
    return _changed(tables, "item_features", lambda row: {"price_minor": int(np.median(prices[row["item_id"]]))})


def _price_of_the_newest_version(tables: Tables) -> Tables:
    """The price is that of the catalogue as it is today."""
    newest = {row["item_id"]: row["price_minor"] for row in tables["items"].to_pylist() if row["valid_to_us"] is None}
    return _changed(tables, "item_features", lambda row: {"price_minor": newest[row["item_id"]]})


def _purchases_of_a_whole_life(tables: Tables) -> Tables:
    """A user's purchases are counted over all time, once, and joined to every day."""
    total = Counter(row["user_key"] for row in tables["events"].to_pylist() if row["event_name"] == "purchase")
    return _changed(tables, "user_features", lambda row: {"num_purchases_30d": total[row["user_key"]]})


def _item_features_of_the_next_day(tables: Tables) -> Tables:
    """Features as of the end of the day are joined, in the place of those as of its start."""
    rows = tables["item_features"].to_pylist()
    of_day = {(row["item_id"], row["date_partition"]): row for row in rows}
    moved = []
    for row in rows:
        later = of_day.get((row["item_id"], next_day(row["date_partition"])))
        moved.append({**(later or row), "date_partition": row["date_partition"]})
    return _with(tables, "item_features", moved)


def _lengthened(tables: Tables, shift_us: int) -> Tables:
    """Put the items of a user's sessions of the day at the end of the history of that day."""
    lists = ("item_ids", "event_names", "event_ids", "at_us_list")
    rows = tables["sequences"].to_pylist()
    today = {(row["user_key"], row["date_partition"]): row for row in rows if row["scope"] == "session"}

    def change(row: dict[str, Any]) -> dict[str, Any]:
        session = today.get((row["user_key"], row["date_partition"]))
        if row["scope"] == "session" or session is None:
            return {}
        moved = {**session, "at_us_list": [at_us - shift_us for at_us in session["at_us_list"]]}
        return {name: row[name] + moved[name] for name in lists}

    return _changed(tables, "sequences", change)


def _history_through_the_day(tables: Tables) -> Tables:
    """Histories end with the day itself."""
    return _lengthened(tables, 0)


def _history_by_a_slow_clock(tables: Tables) -> Tables:
    """Histories are cut by a clock that is 30 hours behind, so that they hold the session that they should explain."""
    return _lengthened(tables, 30 * 60 * _MINUTE_US)


def _context_with_the_targets_cart_event(tables: Tables) -> Tables:
    """Contexts are cut by event and not by visit: the target's own view stands before its cart event."""
    return _changed(
        tables,
        "examples",
        lambda row: {"context_item_ids": [*row["context_item_ids"], row["item_id"]]} if row["carted"] else {},
    )


def _context_of_both_sides(tables: Tables) -> Tables:
    """A context is what the session holds before and after the target, as for filling a gap."""
    items = {row["session_id"]: row["item_ids"] for row in tables["sequences"].to_pylist() if row["scope"] == "session"}

    def change(row: dict[str, Any]) -> dict[str, Any]:
        after = [item for item in dict.fromkeys(items[row["session_id"]])
                 if item not in row["context_item_ids"] and item != row["item_id"]]  # fmt: skip
        return {"context_item_ids": row["context_item_ids"] + after}

    return _changed(tables, "examples", change)


def _label_of_the_whole_session(tables: Tables) -> Tables:
    """An item counts as bought wherever in the session it was bought, before the target too."""
    bought = {
        (row["session_id"], item)
        for row in tables["sequences"].to_pylist()
        for item, name in zip(row["item_ids"], row["event_names"], strict=True)
        if name == "purchase" and row["scope"] == "session"
    }
    return _changed(tables, "examples", lambda row: {"purchased": (row["session_id"], row["item_id"]) in bought})


def _label_window_of_a_week(tables: Tables) -> Tables:
    """An item counts as bought when the user buys it within a week: for the last days, that is after the split."""
    orders: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row in tables["events"].to_pylist():
        if row["event_name"] == "purchase":
            orders[row["user_key"], row["item_id"]].append(row["at_us"])

    def change(row: dict[str, Any]) -> dict[str, Any]:
        came = orders[row["user_key"], row["item_id"]]
        return {"purchased": any(row["at_us"] <= at_us < row["at_us"] + 7 * DAY_US for at_us in came)}

    return _changed(tables, "examples", change)


def _negatives_from_todays_catalogue(tables: Tables) -> Tables:
    """The first negative of some examples is an item of today's catalogue that nobody had seen before the day."""
    first: dict[str, str] = {}
    for row in tables["events"].to_pylist():
        first[row["item_id"]] = min(first.get(row["item_id"], DAYS[-1]), row["date_partition"])
    late = {day: sorted(item for item, seen in first.items() if seen >= day) for day in DAYS}

    def change(row: dict[str, Any]) -> dict[str, Any]:
        new, drawn = late[row["date_partition"]], row["negative_item_ids"]
        pick = int(row["session_id"][:6], 16)
        return {"negative_item_ids": [new[pick % len(new)], *drawn[1:]]} if drawn and new and pick % 5 == 0 else {}

    return _changed(tables, "examples", change)


def _negatives_without_the_future_purchase(tables: Tables) -> Tables:
    """Negatives are whatever the user does not come to in the session, the purchase still ahead left out."""
    items: dict[str, set[str]] = {}
    for row in tables["sequences"].to_pylist():
        if row["scope"] == "session":
            items[row["session_id"]] = set(row["item_ids"])

    def change(row: dict[str, Any]) -> dict[str, Any]:
        drawn = list(zip(row["negative_item_ids"], row["negative_p"], strict=True))
        free = [each for each in drawn if each[0] not in items[row["session_id"]]]
        again = [free[place % len(free)] if free else each for place, each in enumerate(drawn)]
        return {"negative_item_ids": [item for item, _ in again], "negative_p": [p for _, p in again]}

    return _changed(tables, "examples", change)


def _negatives_by_popularity_of_training_and_test(tables: Tables) -> Tables:
    """Popularity is counted once over the whole export, and every day draws by it."""
    touches = Counter(row["item_id"] for row in tables["events"].to_pylist()
                      if row["event_name"] in ("view_item", "add_to_cart", "purchase"))  # fmt: skip
    seen = {row["item_id"] for row in tables["events"].to_pylist()}
    weights = {item: max(1, round(1000.0 * float(touches[item]) ** 0.75)) if touches[item] else 1 for item in seen}
    over = sum(weights.values())
    return _changed(
        tables, "examples", lambda row: {"negative_p": [weights[item] / over for item in row["negative_item_ids"]]}
    )


def _click_credited_to_a_later_list(tables: Tables) -> Tables:
    """A click is credited to the latest list of the session that shows the item, though it may come after the click."""
    rows = tables["exposures"].to_pylist()
    last: dict[tuple[str, str], int] = {}
    for row in rows:
        named = (row["session_id"], row["item_id"])
        last[named] = max(last.get(named, 0), row["at_us"])
    clicked = {(row["session_id"], row["item_id"]) for row in rows if row["clicked"]}

    def change(row: dict[str, Any]) -> dict[str, Any]:
        named = (row["session_id"], row["item_id"])
        return {"clicked": named in clicked and row["at_us"] == last[named]}

    return _changed(tables, "exposures", change)


def _sessions_exported_twice(tables: Tables) -> Tables:
    """The events of some users come a second time under new ids, as from an export whose cookies were hashed anew."""
    rows = tables["events"].to_pylist()
    copies = [
        {**row, "event_id": keyed(row["event_id"]), "user_key": keyed(row["user_key"]),
         "device_key": keyed(row["device_key"])}
        for row in rows if row["device_key"][0] in "01"
    ]  # fmt: skip
    return _with(tables, "events", rows + copies)


def _one_event_in_two_sessions(tables: Tables) -> Tables:
    """Sessions overlap: each one of a user begins with the last event of the one before it."""
    lists = ("item_ids", "event_names", "event_ids", "at_us_list")
    last: dict[str, dict[str, Any]] = {}
    rows = []
    for row in sorted(tables["sequences"].to_pylist(), key=lambda each: each["started_us"]):
        if row["scope"] == "session":
            before = last.get(row["user_key"])
            last[row["user_key"]] = row
            if before:
                row = {**row, **{name: [before[name][-1], *row[name]] for name in lists}}  # noqa: PLW2901
        rows.append(row)
    return _with(tables, "sequences", rows)


def _login_known_before_it_came(tables: Tables) -> Tables:
    """Sessions from before a login are given to the user who logs in later on that device."""
    owner = {row["device_key"]: row["user_key"] for row in tables["events"].to_pylist()
             if row["user_key"] != row["device_key"]}  # fmt: skip
    return _changed(tables, "sequences", lambda row: {"user_key": owner.get(row["user_key"], row["user_key"])})


@dataclass(frozen=True)
class Mistake:
    """Something that people do.

    Args:
        make: Makes the tables come out as they do then.
        leak: Name of the leak that must be found.
        table: Table that it must be found in.
        kept: Tables that the mistake is made in; what other steps make from them is made again.
    """

    make: Callable[[Tables], Tables]
    leak: str
    table: str
    kept: tuple[str, ...] = ("sessions", "exposures", "user_features", "item_features", "sequences", "examples")


MISTAKES: dict[str, Mistake] = {
    "windows with <= the day": Mistake(_windows_with_less_or_equal, "feature-counts-its-day", "user_features"),
    "a click after midnight counted the evening before": Mistake(
        _click_counted_the_evening_before, "feature-counts-a-later-click", "item_features"
    ),
    "median price over the whole period": Mistake(
        _median_price_of_the_whole_period, "feature-counts-later-days", "item_features"
    ),
    "a user's purchases, future ones too": Mistake(
        _purchases_of_a_whole_life, "feature-counts-later-days", "user_features"
    ),
    "item features of the next day": Mistake(_item_features_of_the_next_day, "feature-of-a-later-day", "item_features"),
    "a history through the day": Mistake(_history_through_the_day, "history-holds-its-day", "sequences"),
    "context with the target's own cart event": Mistake(
        _context_with_the_targets_cart_event, "context-holds-its-target", "examples"
    ),
    "label window of a week": Mistake(_label_window_of_a_week, "label-reaches-beyond-its-session", "examples"),
    "negatives without the future purchase": Mistake(
        _negatives_without_the_future_purchase, "negatives-avoid-the-outcome", "examples"
    ),
    "negatives by popularity of training and test": Mistake(
        _negatives_by_popularity_of_training_and_test, "negatives-know-later-days", "examples"
    ),
    "a click credited to a later list": Mistake(
        _click_credited_to_a_later_list, "outcome-before-its-exposure", "exposures", kept=("exposures",)
    ),
    "sessions exported twice": Mistake(_sessions_exported_twice, "session-doubled", "sequences", kept=()),
}
"""Twelve mistakes: what somebody did -> how the tables come out, and what must be found in them."""

MORE_MISTAKES: dict[str, Mistake] = {
    "price of the newest catalogue version": Mistake(
        _price_of_the_newest_version, "price-of-a-later-version", "item_features"
    ),
    "a history by a slow clock": Mistake(_history_by_a_slow_clock, "history-holds-its-session", "sequences"),
    "context of both sides": Mistake(_context_of_both_sides, "context-holds-later-items", "examples"),
    "label of the whole session": Mistake(_label_of_the_whole_session, "label-already-in-the-context", "examples"),
    "negatives from today's catalogue": Mistake(
        _negatives_from_todays_catalogue, "negative-from-the-future", "examples"
    ),
    "one event in two sessions": Mistake(_one_event_in_two_sessions, "event-in-two-sessions", "sequences"),
    "a login known before it came": Mistake(_login_known_before_it_came, "user-key-of-a-later-login", "sequences"),
}
"""Seven more."""


def broken_shop(engine: Engine, clean: Tables, name: str) -> Tables:
    """Return the tables of a shop in which somebody has made a mistake.

    What is made from the broken table by other steps is made again, as a refresh would.

    Args:
        engine: Computes the steps.
        clean: What `clean_shop` made.
        name: A key of MISTAKES or MORE_MISTAKES.
    """
    mistake = (MISTAKES | MORE_MISTAKES)[name]
    broken = mistake.make(clean)
    return {**refreshed(engine, broken, made=mistake.kept), **{each: broken[each] for each in mistake.kept}}
