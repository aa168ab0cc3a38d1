"""The contracts of what is made of events to learn from: sessions, exposures, features, sequences, examples."""

from endcap.core.columns import DAY, ITEM, SESSION, USER
from endcap.core.contract import Column, Kind, Table
from endcap.core.event_tables import CANONICAL_EVENT_NAMES

__all__ = [
    "CATALOGUE_NEGATIVES",
    "ELEMENTS",
    "EXAMPLES",
    "EXPOSURES",
    "ITEM_DAYS",
    "ITEM_FEATURES",
    "POOL_NEGATIVES",
    "SEQUENCES",
    "SESSIONS",
    "USER_DAYS",
    "USER_FEATURES",
    "WINDOWS_DAYS",
]

_S, _I32, _I64, _F64, _B = Kind.STRING, Kind.INT32, Kind.INT64, Kind.FLOAT64, Kind.BOOL

WINDOWS_DAYS = (1, 7, 30)
"""Lengths of the trailing windows of user and item features, in days."""

CATALOGUE_NEGATIVES = ("uniform", "popularity")
"""Kinds of negatives that are drawn from all items known before a day: 1 / p takes their frequency out again."""

POOL_NEGATIVES = ("unclicked", "hard")
"""Kinds of negatives that are drawn from a pool of the example's own: 1 / p stands for that pool alone."""

SESSIONS = Table(
    "sessions",
    "one session: a user's events without a pause longer than the gap; its partition is the day it starts",
    (
        DAY,
        SESSION,
        USER,
        Column("started_us", _I64, "instant of the first event", low=0),
        Column("ended_us", _I64, "instant of the last event", low=0),
        Column("num_events", _I64, "events", low=1),
        Column("num_views", _I64, "view_item events", low=0),
        Column("num_carts", _I64, "add_to_cart events", low=0),
        Column("num_purchases", _I64, "purchase events", low=0),
        Column("num_items", _I64, "different items viewed, carted or purchased", low=0),
        Column(
            "value_minor",
            _I64,
            "sum of price x quantity over purchased lines in the currency of the first, minor units",
            low=0,
        ),
        Column("country", _S, "country of the first event that names one", nullable=True),
        Column("device_category", _S, "device of the first event that names one", nullable=True),
    ),
    ("user_key", "started_us"),
)

EXPOSURES = Table(
    "exposures",
    "one item shown in a list; its partition is the day it was shown",
    (
        DAY,
        Column("event_id", _S, "the view_item_list event"),
        Column("item_ordinal", _I32, "row of that event", low=1),
        SESSION,
        USER,
        Column("at_us", _I64, "instant it was shown", low=0),
        ITEM,
        Column("item_list_id", _S, "list", nullable=True),
        Column("place", _I32, "place in the list, from 1; its place in the event where the source has none", low=1),
        Column("recommendation_id", _S, "slate, if the list was ours", nullable=True),
        Column(
            "propensity",
            _F64,
            "probability with which the policy showed it here; missing for foreign lists",
            nullable=True,
            low=0,
            high=1,
        ),
        Column("variant", _S, "experiment variant", nullable=True),
        Column("clicked", _B, "a later select_item of the same session belongs to it"),
        Column("clicked_us", _I64, "instant of the first click that belongs to it", nullable=True, low=0),
        Column("carted", _B, "a later add_to_cart of the same session belongs to it"),
        Column("purchased", _B, "a later purchase of the same session belongs to it"),
    ),
    ("user_key", "at_us", "event_id", "item_ordinal"),
)

ITEM_DAYS = Table(
    "item_days",
    "what happened with an item on a day, as known at the end of that day",
    (
        DAY,
        ITEM,
        Column("num_exposures", _I64, "times shown in a list", low=0),
        Column("num_clicks", _I64, "exposures of the day that were clicked by its end", low=0),
        Column("num_views", _I64, "view_item rows", low=0),
        Column("num_carts", _I64, "add_to_cart rows", low=0),
        Column("num_purchases", _I64, "purchase rows", low=0),
        Column(
            "price_minor",
            _I64,
            "median price, rounded down, minor units of the currency most rows of the day name",
            nullable=True,
            low=0,
        ),
    ),
    ("item_id",),
)

USER_DAYS = Table(
    "user_days",
    "what a user did on a day",
    (
        DAY,
        USER,
        Column("num_sessions", _I64, "sessions started", low=0),
        Column("num_views", _I64, "view_item rows", low=0),
        Column("num_carts", _I64, "add_to_cart rows", low=0),
        Column("num_purchases", _I64, "purchase rows", low=0),
        Column("viewed_price_minor", _I64, "sum of the known prices of viewed items, minor units", low=0),
        Column("num_priced", _I64, "viewed items whose price is known", low=0),
    ),
    ("user_key",),
)

ELEMENTS = Table(
    "elements",
    "one element of a sequence: an event x item by which a user said to want that very item",
    (
        DAY,
        USER,
        Column("at_us", _I64, "instant of the event, microseconds UTC", low=0),
        ITEM,
        Column("event_id", _S, "the event"),
        Column("item_ordinal", _I32, "row of that event", low=0),
        Column("event_name", _S, "GA4 name", allowed=CANONICAL_EVENT_NAMES),
    ),
    ("user_key", "at_us", "item_id", "event_id", "item_ordinal"),
)


def _windows(stem: str, doc: str, kind: Kind = _I64) -> tuple[Column, ...]:
    return tuple(
        Column(f"{stem}_{days}d", kind, f"{doc}, in the {days} days before the day", low=0) for days in WINDOWS_DAYS
    )


USER_FEATURES = Table(
    "user_features",
    "a user seen in the 30 days before a day, as known at the start of that day",
    (
        DAY,
        USER,
        *_windows("num_sessions", "sessions started"),
        *_windows("num_views", "view_item rows"),
        *_windows("num_carts", "add_to_cart rows"),
        *_windows("num_purchases", "purchase rows"),
        Column("cart_rate_30d", _F64, "carts / views", nullable=True, low=0),
        Column("purchase_rate_30d", _F64, "purchases / views", nullable=True, low=0),
        Column("mean_price_minor_30d", _I64, "mean price of viewed items, minor units", nullable=True, low=0),
        Column("days_since_seen", _I64, "whole days from the last active day to the day", low=1),
    ),
    ("user_key",),
)

ITEM_FEATURES = Table(
    "item_features",
    "an item seen in the 30 days before a day, as known at the start of that day",
    (
        DAY,
        ITEM,
        *_windows("num_exposures", "times shown in a list"),
        *_windows("num_views", "view_item rows"),
        *_windows("num_carts", "add_to_cart rows"),
        *_windows("num_purchases", "purchase rows"),
        Column("click_rate_30d", _F64, "exposures clicked / exposures", nullable=True, low=0, high=1),
        Column("cart_rate_30d", _F64, "carts / views", nullable=True, low=0),
        Column("purchase_rate_30d", _F64, "purchases / views", nullable=True, low=0),
        Column(
            "price_minor",
            _I64,
            "median price of the last active day, minor units of the currency most rows name",
            nullable=True,
            low=0,
        ),
        Column("days_since_first_seen", _I64, "whole days from the first active day ever", low=1),
        Column("days_since_seen", _I64, "whole days from the last active day", low=1),
    ),
    ("item_id",),
)

SEQUENCES = Table(
    "sequences",
    "scope session: the items of one session in order; scope user: what a user did before the day",
    (
        DAY,
        Column("scope", _S, "session | user", allowed=("session", "user")),
        USER,
        Column("session_id", _S, "the session; empty in scope user"),
        Column("started_us", _I64, "instant of the first element", low=0),
        Column("item_ids", Kind.STRINGS, "items, oldest first"),
        Column("event_names", Kind.STRINGS, "their events"),
        Column("event_ids", Kind.STRINGS, "their event ids"),
        Column("at_us_list", Kind.INT64S, "their instants, microseconds UTC"),
    ),
    ("scope", "started_us", "user_key", "session_id"),
)

EXAMPLES = Table(
    "examples",
    "one step of a session to its next different item, with sampled negatives; nothing in it is later than `at_us` but "
    "labels: carted, purchased, and that an unclicked item stayed so until the session ended",
    (
        DAY,
        SESSION,
        Column("position", _I32, "place of the target among the session's collapsed items, from 1", low=1),
        USER,
        Column("at_us", _I64, "instant of the target event", low=0),
        Column("context_item_ids", Kind.STRINGS, "items of the session before the target, oldest first, at most 50"),
        Column("item_id", _S, "target item"),
        Column("event_name", _S, "target event"),
        Column("carted", _B, "the target is an add_to_cart or is followed by one of the same item in the session"),
        Column("purchased", _B, "the target is a purchase or is followed by one of the same item in the session"),
        Column("negative_item_ids", Kind.STRINGS, "sampled items, drawn with replacement"),
        Column("negative_p", Kind.FLOAT64S, "probability of each draw, in (0, 1]"),
        Column(
            "negative_kinds",
            Kind.STRINGS,
            "how each was drawn: uniform, popularity (also where a pool was empty), unclicked, hard",
        ),
    ),
    ("at_us", "session_id", "position"),
)
