"""Features, each declared once: of what, which events, how summed up, over which window, what where nothing is known.

Two readings follow from a declaration. For the past, an engine computes it from the tables: to the instant for users
and their sessions (`instants.py`), as of the start of a day from daily counts for all that stands in USER_FEATURES and
ITEM_FEATURES. For now, a server computes it from what it holds in memory (`online.py`).

A feature of an instant knows the events strictly before it: one of the same microsecond does not count. A window of N
days is [instant - N days, instant), so at midnight it is the N days before the day. A session feature is about the
session that an event of that instant would belong to; there is none where the pause was too long.
"""

from dataclasses import dataclass
from typing import Literal

from endcap.core.contract import Kind
from endcap.core.tables import WINDOWS_DAYS

__all__ = [
    "FEATURES",
    "LONGEST_DAYS",
    "TOUCHES",
    "Aggregation",
    "Entity",
    "Feature",
    "Reading",
    "declared",
    "of_instants",
]

Entity = Literal["user", "session", "item"]
Reading = Literal["instant", "day"]
Aggregation = Literal[
    "count",
    "rate",
    "sum_price",
    "mean_price",
    "median_price",
    "distinct_items",
    "sessions",
    "seconds_since_last",
    "seconds_since_start",
    "days_since_last",
    "days_since_first",
]
"""
- count: rows (event x item) of the events, with an item
- rate: count of `of` / count of `per`; missing without any of the latter
- sum_price, mean_price, median_price: of the rows of the events that tell an item's price, minor units; a mean is
  rounded to whole units, half up, a median down
- distinct_items: different items of the events' rows
- sessions: sessions started
- seconds_since_last, days_since_last, days_since_first: from the last or first of the events; of any event where none
  is named
- seconds_since_start: since the session's first event
"""

TOUCHES = ("view_item", "add_to_cart", "purchase")
"""Events that each say that a shopper wanted that very item."""

_FLOATS = ("rate", "seconds_since_last", "seconds_since_start")
_OF_DAYS = ("median_price", "days_since_last", "days_since_first")


@dataclass(frozen=True)
class Feature:
    """One feature.

    Args:
        name: The column of every reading.
        entity: What it is of.
        how: The aggregation.
        doc: What it says, with its unit.
        of: The events that are summed up; none for any.
        per: The events of a rate's denominator; `exposures` are items shown in lists, and `clicks` those of them that
            were clicked.
        days: Length of the window; None for the present session, and for what looks back for good.
        default: Where there is nothing to sum up; None leaves it missing.
        owner: Who answers for it.
        readings: Where it is read: at any instant, or as of the start of a day, which is a column of the day's table.
    """

    name: str
    entity: Entity
    how: Aggregation
    doc: str
    of: tuple[str, ...] = ()
    per: tuple[str, ...] = ()
    days: int | None = None
    default: int | None = None
    owner: str = "recommendations"
    readings: tuple[Reading, ...] = ("instant",)

    def __post_init__(self) -> None:
        """A declaration that no reading could follow is a mistake of ours."""
        assert self.name.isidentifier(), self.name
        assert (self.how == "rate") == bool(self.per), f"{self.name}: a rate has a denominator, and nothing else has"
        assert self.entity == "user" or "day" not in self.readings or self.entity == "item", self.name
        if "instant" in self.readings:
            assert self.how not in _OF_DAYS, f"{self.name}: {self.how} is read as of days alone"
            assert self.entity != "item", f"{self.name}: items are read as of days"
            assert (self.entity == "session") == (self.days is None), f"{self.name}: a user's window has a length"
            assert self.days is None or self.days <= LONGEST_DAYS, f"{self.name}: longer than what is kept online"

    @property
    def kind(self) -> Kind:
        """Its type."""
        return Kind.FLOAT64 if self.how in _FLOATS else Kind.INT64

    @property
    def window(self) -> str:
        """Its window in words."""
        if self.days is not None:
            return f"{self.days} days" if self.days > 1 else "1 day"
        return "the present session" if self.entity == "session" else "for good"


LONGEST_DAYS = max(WINDOWS_DAYS)
"""The longest window of a feature of an instant."""


def _windows(stem: str, entity: Entity, doc: str, of: tuple[str, ...], how: Aggregation = "count") -> list[Feature]:
    readings: tuple[Reading, ...] = ("instant", "day") if entity == "user" else ("day",)
    return [
        Feature(f"{stem}_{days}d", entity, how, doc, of=of, days=days, default=0, readings=readings)
        for days in WINDOWS_DAYS
    ]


_LONG = LONGEST_DAYS
_BOTH: tuple[Reading, ...] = ("instant", "day")
_DAY: tuple[Reading, ...] = ("day",)
_VIEWS, _CARTS, _PURCHASES = (("view_item",), ("add_to_cart",), ("purchase",))

_OF_USERS = (
    *_windows("num_sessions", "user", "sessions started", (), "sessions"),
    *_windows("num_views", "user", "view_item rows", _VIEWS),
    *_windows("num_carts", "user", "add_to_cart rows", _CARTS),
    *_windows("num_purchases", "user", "purchase rows", _PURCHASES),
    Feature("cart_rate_30d", "user", "rate", "carts / views", _CARTS, _VIEWS, _LONG, readings=_BOTH),
    Feature("purchase_rate_30d", "user", "rate", "purchases / views", _PURCHASES, _VIEWS, _LONG, readings=_BOTH),
    Feature("mean_price_minor_30d", "user", "mean_price", "mean price of viewed items, minor units", _VIEWS, (), _LONG,
            readings=_BOTH),
    Feature("days_since_seen", "user", "days_since_last", "whole days from the last active day to the day", (), (),
            _LONG, readings=_DAY),
    Feature("num_items_7d", "user", "distinct_items", "different items viewed, carted or bought", TOUCHES, (), 7, 0),
    Feature("bought_price_minor_30d", "user", "sum_price", "prices of bought lines together, minor units", _PURCHASES,
            (), _LONG, 0),
    Feature("seen_ago_s", "user", "seconds_since_last", "seconds since the last event", (), (), _LONG),
    Feature("bought_ago_s", "user", "seconds_since_last", "seconds since the last purchase", _PURCHASES, (), _LONG),
)  # fmt: skip

_OF_SESSIONS = (
    Feature("session_num_views", "session", "count", "view_item rows", _VIEWS, default=0),
    Feature("session_num_carts", "session", "count", "add_to_cart rows", _CARTS, default=0),
    Feature("session_num_purchases", "session", "count", "purchase rows", _PURCHASES, default=0),
    Feature("session_num_items", "session", "distinct_items", "different items viewed, carted or bought", TOUCHES,
            default=0),
    Feature("session_mean_price_minor", "session", "mean_price", "mean price of viewed items, minor units", _VIEWS),
    Feature("session_cart_rate", "session", "rate", "carts / views", _CARTS, _VIEWS),
    Feature("session_age_s", "session", "seconds_since_start", "seconds since the session's first event"),
)  # fmt: skip

_SHOWN, _CLICKED = ("exposures",), ("clicks",)

_OF_ITEMS = (
    *_windows("num_exposures", "item", "times shown in a list", _SHOWN),
    *_windows("num_views", "item", "view_item rows", _VIEWS),
    *_windows("num_carts", "item", "add_to_cart rows", _CARTS),
    *_windows("num_purchases", "item", "purchase rows", _PURCHASES),
    Feature("click_rate_30d", "item", "rate", "exposures clicked / exposures", _CLICKED, _SHOWN, _LONG, readings=_DAY),
    Feature("cart_rate_30d", "item", "rate", "carts / views", _CARTS, _VIEWS, _LONG, readings=_DAY),
    Feature("purchase_rate_30d", "item", "rate", "purchases / views", _PURCHASES, _VIEWS, _LONG, readings=_DAY),
    Feature("price_minor", "item", "median_price",
            "median price of the last active day, minor units of the currency most rows name", (), (), _LONG,
            readings=_DAY),
    Feature("days_since_first_seen", "item", "days_since_first", "whole days from the first active day ever",
            readings=_DAY),
    Feature("days_since_seen", "item", "days_since_last", "whole days from the last active day", (), (), _LONG,
            readings=_DAY),
)  # fmt: skip

FEATURES: tuple[Feature, ...] = (*_OF_USERS, *_OF_SESSIONS, *_OF_ITEMS)
"""All features. A name is one entity's: an item and a user may each have their `num_views_7d`."""


def declared(entity: Entity, reading: Reading) -> tuple[Feature, ...]:
    """Return the features of an entity that a reading has, in order.

    >>> [feature.name for feature in declared("session", "instant")][:2]
    ['session_num_views', 'session_num_carts']
    """
    return tuple(feature for feature in FEATURES if feature.entity == entity and reading in feature.readings)


def of_instants() -> tuple[Feature, ...]:
    """Return the features that are exact to the instant: of users and of their sessions."""
    return (*declared("user", "instant"), *declared("session", "instant"))
