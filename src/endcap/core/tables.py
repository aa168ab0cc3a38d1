"""The contracts of all tables: what passes from room to room.

Every room may read any of these tables and writes only its own. A column of the same name means the same everywhere.
"""

from endcap.core.contract import Column, Kind, Table

__all__ = [
    "BOTS",
    "CANONICAL_EVENT_NAMES",
    "CATALOGUE",
    "CATALOGUE_NEGATIVES",
    "ELEMENTS",
    "EVENTS",
    "EXAMPLES",
    "EXPOSURES",
    "IDENTITIES",
    "ITEMS",
    "ITEM_DAYS",
    "ITEM_FEATURES",
    "ITEM_MENTIONS",
    "LOGINS",
    "POOL_NEGATIVES",
    "QUALITY",
    "QUARANTINE",
    "SEQUENCES",
    "SESSIONS",
    "SLATES",
    "TABLES",
    "USER_DAYS",
    "USER_FEATURES",
    "WINDOWS_DAYS",
]

CANONICAL_EVENT_NAMES = (
    "view_item_list",
    "select_item",
    "view_item",
    "add_to_wishlist",
    "add_to_cart",
    "remove_from_cart",
    "view_cart",
    "begin_checkout",
    "add_shipping_info",
    "add_payment_info",
    "purchase",
    "refund",
    "view_promotion",
    "select_promotion",
    "view_search_results",
    "search",
)
"""The event names of GA4, which are ours too."""

WINDOWS_DAYS = (1, 7, 30)
"""Lengths of the trailing windows of user and item features, in days."""

CATALOGUE_NEGATIVES = ("uniform", "popularity")
"""Kinds of negatives that are drawn from all items known before a day: 1 / p takes their frequency out again."""

POOL_NEGATIVES = ("unclicked", "hard")
"""Kinds of negatives that are drawn from a pool of the example's own: 1 / p stands for that pool alone."""

_S, _I32, _I64, _F64, _B = Kind.STRING, Kind.INT32, Kind.INT64, Kind.FLOAT64, Kind.BOOL

_DAY = Column("date_partition", _S, "UTC day, YYYY-MM-DD")
_USER = Column("user_key", _S, "keyed hash of the user, or of the device where nobody is logged in", names_user=True)
_SESSION = Column("session_id", _S, "id of the session, 32 hex digits")
_ITEM = Column("item_id", _S, "id of the product")
_MONEY = {"nullable": True, "low": 0, "high": 1e13}

EVENTS = Table(
    "events",
    "one event x item (an event without items has one row with item_ordinal 0 and no item_id)",
    (
        _DAY,
        Column("event_id", _S, "32 hex digits; the source's id, or a digest of the event's content"),
        Column("item_ordinal", _I32, "place of the item in the event's list, from 1; 0 without items", low=0),
        Column("site", _S, "the shop's site"),
        Column("event_name", _S, "GA4 name", allowed=CANONICAL_EVENT_NAMES),
        Column("at_us", _I64, "instant of the event, microseconds UTC", low=0),
        Column("received_us", _I64, "instant the event reached us, microseconds UTC; at_us if unknown", low=0),
        _USER,
        Column("device_key", _S, "keyed hash of the device's cookie", nullable=True, names_user=True),
        Column("source_session_id", _S, "the source's own session id", nullable=True),
        Column("item_id", _S, "id of the product", nullable=True),
        Column("item_name", _S, "title as the event told it", nullable=True),
        Column("item_variant", _S, "SKU", nullable=True),
        Column("price_minor", _I64, "unit price, minor units of `currency`", **_MONEY),  # type: ignore[arg-type]
        Column("quantity", _I64, "pieces", nullable=True, low=1),
        Column("value_minor", _I64, "value of the whole event, minor units", **_MONEY),  # type: ignore[arg-type]
        Column("currency", _S, "ISO 4217", nullable=True),
        Column("transaction_id", _S, "order number", nullable=True),
        Column("item_list_id", _S, "id or name of the list shown", nullable=True),
        Column("place", _I32, "place in the list, from 1", nullable=True, low=0),
        Column("search_term", _S, "what was searched for", nullable=True),
        Column("recommendation_id", _S, "slate that showed or led to the item", nullable=True),
        Column("country", _S, "country as the source names it", nullable=True),
        Column("device_category", _S, "desktop, mobile, tablet", nullable=True),
    ),
    ("user_key", "at_us", "event_id", "item_ordinal"),
)

_AVAILABILITY = ("in_stock", "out_of_stock", "preorder", "backorder")

CATALOGUE = Table(
    "catalogue",
    "what a feed or an update says of an item; what it does not say is missing",
    (
        Column(
            "date_partition",
            _S,
            "UTC day of the files that say it; seen-<day> for a feed without a day, as it was found on a day, "
            "seen-1970-01-01 where it was the first",
        ),
        _ITEM,
        Column("ordinal", _I32, "order in which rows of one instant count: feeds before updates, by name", low=0),
        Column("kind", _S, "a feed says everything of an item, an update some", allowed=("feed", "update")),
        Column("from_us", _I64, "first instant for which it is said: the start of the day", low=0),
        Column("title", _S, "title", nullable=True),
        Column("category", _S, "category path, parts joined by /", nullable=True),
        Column("brand", _S, "brand", nullable=True),
        Column("price_minor", _I64, "price outside of sales, minor units", **_MONEY),  # type: ignore[arg-type]
        Column("currency", _S, "ISO 4217", nullable=True),
        Column("sale_price_minor", _I64, "price while the sale lasts, minor units", **_MONEY),  # type: ignore[arg-type]
        Column("sale_currency", _S, "ISO 4217", nullable=True),
        Column("sale_from_us", _I64, "first instant of the sale; missing where it has begun", nullable=True),
        Column("sale_to_us", _I64, "first instant after the sale; missing where it has no end", nullable=True),
        Column("availability", _S, "stock state", nullable=True, allowed=_AVAILABILITY),
        Column("link", _S, "page of the item", nullable=True),
        Column("image_link", _S, "picture of the item", nullable=True),
    ),
    ("item_id", "ordinal"),
)

ITEM_MENTIONS = Table(
    "item_mentions",
    "what a day's events say of an item that any of them names",
    (
        _DAY,
        _ITEM,
        Column("first_us", _I64, "instant of the first event that names it", low=0),
        Column("title", _S, "title that most rows tell, the first by name of several", nullable=True),
        Column("title_rows", _I64, "rows that tell this title", low=0),
        Column("price_minor", _I64, "median price in `currency`, minor units, rounded down", **_MONEY),  # type: ignore[arg-type]
        Column("currency", _S, "events.default_currency where a row names it, else what most rows name", nullable=True),
        Column("price_rows", _I64, "rows that tell a price in this currency", low=0),
    ),
    ("item_id",),
)

ITEMS = Table(
    "items",
    "one version of an item",
    (
        _ITEM,
        Column("valid_from_us", _I64, "first instant of this version", low=0),
        Column("valid_to_us", _I64, "first instant after this version; missing while it is in force", nullable=True),
        Column("title", _S, "title"),
        Column("category", _S, "category path, parts joined by /", nullable=True),
        Column("brand", _S, "brand", nullable=True),
        Column("price_minor", _I64, "price, minor units; that of events where no feed has one", **_MONEY),  # type: ignore[arg-type]
        Column("currency", _S, "ISO 4217", nullable=True),
        Column("availability", _S, "stock state", allowed=_AVAILABILITY),
        Column("link", _S, "page of the item", nullable=True),
        Column("image_link", _S, "picture of the item", nullable=True),
        Column("origin", _S, "where the row comes from", allowed=("catalogue", "events")),
    ),
    ("item_id", "valid_from_us"),
    partition="",
)

_DEVICE = Column("device_key", _S, "keyed hash of the device's cookie", names_user=True)
_LOGGED_IN = Column("user_key", _S, "keyed hash of a user who logged in", names_user=True)

LOGINS = Table(
    "logins",
    "a stretch of a day in which one user, and nobody else, was logged in on a device",
    (
        _DAY,
        _DEVICE,
        Column("since_us", _I64, "instant of the first event with that login, microseconds UTC", low=0),
        Column("until_us", _I64, "instant of the last one", low=0),
        _LOGGED_IN,
        Column("num_events", _I64, "events with that login", low=1),
    ),
    ("device_key", "since_us", "user_key"),
)

BOTS = Table(
    "bots",
    "a visitor who broke a rule of [identities.bots] on a day",
    (
        _DAY,
        _USER,
        Column("rule", _S, "which rule"),
        Column("num_events", _I64, "the most events that were counted under the rule", low=1),
    ),
    ("user_key", "rule"),
)

IDENTITIES = Table(
    "identities",
    "whose a device was in a stretch of a day, on which it sent events without a login",
    (
        _DAY,
        _DEVICE,
        Column("since_us", _I64, "first instant, microseconds UTC", low=0),
        Column("until_us", _I64, "first instant after it", low=0),
        _LOGGED_IN,
        Column(
            "evidence",
            _S,
            "why: logged in at since_us; was the last to log in before the day; was the first to log in on the day; "
            "was the first to log in later on, by a backfill",
            allowed=("login", "earlier_login", "later_the_same_day", "restitched"),
        ),
    ),
    ("device_key", "since_us", "user_key"),
)

QUARANTINE = Table(
    "quarantine",
    "one rejected input row",
    (
        Column(
            "date_partition",
            _S,
            "UTC day of the event, or of its file where the instant cannot be read; feed-<partition> for lines "
            "of the catalogue, slates-<day the segment began> for logged slates",
        ),
        Column("reason", _S, "stable reason code"),
        Column("detail", _S, "the offending column and, unless it may name a person, its value"),
        Column("source_file", _S, "name of the file"),
        Column("source_row", _I64, "row in the file, from 0", low=0),
        Column("item_ordinal", _I32, "place of the item in the row's list, from 1; 0 for the whole row", low=0),
        Column("event_name", _S, "event name as read", nullable=True),
        Column("at_us", _I64, "instant as read", nullable=True),
        Column("item_id", _S, "item as read", nullable=True),
        Column("user_key", _S, "keyed hash, where an id could be read", nullable=True, names_user=True),
        Column("row_digest", _S, "digest of the row's readable content, 32 hex digits"),
    ),
    ("source_file", "source_row", "item_ordinal", "reason"),
)

SESSIONS = Table(
    "sessions",
    "one session: a user's events without a pause longer than the gap; its partition is the day it starts",
    (
        _DAY,
        _SESSION,
        _USER,
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
        _DAY,
        Column("event_id", _S, "the view_item_list event"),
        Column("item_ordinal", _I32, "row of that event", low=1),
        _SESSION,
        _USER,
        Column("at_us", _I64, "instant it was shown", low=0),
        _ITEM,
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
        _DAY,
        _ITEM,
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
        _DAY,
        _USER,
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
        _DAY,
        _USER,
        Column("at_us", _I64, "instant of the event, microseconds UTC", low=0),
        _ITEM,
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
        _DAY,
        _USER,
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
        _DAY,
        _ITEM,
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
        _DAY,
        Column("scope", _S, "session | user", allowed=("session", "user")),
        _USER,
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
        _DAY,
        _SESSION,
        Column("position", _I32, "place of the target among the session's collapsed items, from 1", low=1),
        _USER,
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

SLATES = Table(
    "slates",
    "one place of one served slate",
    (
        _DAY,
        Column("recommendation_id", _S, "id of the slate"),
        Column("place", _I32, "place, from 1", low=1),
        Column("at_us", _I64, "instant it was served", low=0),
        Column("user_key", _S, "keyed hash of the visitor", nullable=True, names_user=True),
        Column("placement", _S, "home, product"),
        _ITEM,
        Column("score", _F64, "score that ordered it"),
        Column("source", _S, "source that proposed it"),
        Column("propensity", _F64, "probability with which it was put at this place", low=0, high=1),
        Column("model_version", _S, "bundle that answered"),
        Column("variant", _S, "experiment variant", nullable=True),
        Column("fallback", _S, "why a simpler answer was given; missing when none was", nullable=True),
    ),
    ("at_us", "recommendation_id", "place"),
)

QUALITY = Table(
    "quality",
    "one number of a day's profile: how many, how much is missing, how values lie, what became of the source's rows",
    (
        _DAY,
        Column("event_name", _S, "event name; the source's own in measures of intake; empty for the whole day"),
        Column("column_name", _S, "column of `events` that was measured, or lateness_us; empty for rows as such"),
        Column("measure", _S, "what was measured; see docs/quality.md"),
        Column("value", _I64, "count, or quantile rounded down, in the column's unit"),
    ),
    ("event_name", "column_name", "measure"),
)

TABLES = {
    table.name: table
    for table in (
        EVENTS,
        CATALOGUE,
        ITEM_MENTIONS,
        ITEMS,
        LOGINS,
        BOTS,
        IDENTITIES,
        QUARANTINE,
        SESSIONS,
        EXPOSURES,
        ITEM_DAYS,
        USER_DAYS,
        ELEMENTS,
        USER_FEATURES,
        ITEM_FEATURES,
        SEQUENCES,
        EXAMPLES,
        SLATES,
        QUALITY,
    )
}
