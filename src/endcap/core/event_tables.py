"""The contracts of what the events room and the server tell: events, items, who is who, slates, quality."""

from endcap.core.columns import DAY, ITEM, MONEY, USER
from endcap.core.contract import Column, Kind, Table

__all__ = [
    "BOTS",
    "CANONICAL_EVENT_NAMES",
    "CATALOGUE",
    "EVENTS",
    "IDENTITIES",
    "ITEMS",
    "ITEM_MENTIONS",
    "LOGINS",
    "QUALITY",
    "QUARANTINE",
    "SLATES",
]

_S, _I32, _I64, _F64 = Kind.STRING, Kind.INT32, Kind.INT64, Kind.FLOAT64

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

EVENTS = Table(
    "events",
    "one event x item (an event without items has one row with item_ordinal 0 and no item_id)",
    (
        DAY,
        Column("event_id", _S, "32 hex digits; the source's id, or a digest of the event's content"),
        Column("item_ordinal", _I32, "place of the item in the event's list, from 1; 0 without items", low=0),
        Column("site", _S, "the shop's site"),
        Column("event_name", _S, "GA4 name", allowed=CANONICAL_EVENT_NAMES),
        Column("at_us", _I64, "instant of the event, microseconds UTC", low=0),
        Column("received_us", _I64, "instant the event reached us, microseconds UTC; at_us if unknown", low=0),
        USER,
        Column("device_key", _S, "keyed hash of the device's cookie", nullable=True, names_user=True),
        Column("source_session_id", _S, "the source's own session id", nullable=True),
        Column("item_id", _S, "id of the product", nullable=True),
        Column("item_name", _S, "title as the event told it", nullable=True),
        Column("item_variant", _S, "SKU", nullable=True),
        Column("price_minor", _I64, "unit price, minor units of `currency`", **MONEY),  # type: ignore[arg-type]
        Column("quantity", _I64, "pieces", nullable=True, low=1),
        Column("value_minor", _I64, "value of the whole event, minor units", **MONEY),  # type: ignore[arg-type]
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
        ITEM,
        Column("ordinal", _I32, "order in which rows of one instant count: feeds before updates, by name", low=0),
        Column("kind", _S, "a feed says everything of an item, an update some", allowed=("feed", "update")),
        Column("from_us", _I64, "first instant for which it is said: the start of the day", low=0),
        Column("title", _S, "title", nullable=True),
        Column("category", _S, "category path, parts joined by /", nullable=True),
        Column("brand", _S, "brand", nullable=True),
        Column("price_minor", _I64, "price outside of sales, minor units", **MONEY),  # type: ignore[arg-type]
        Column("currency", _S, "ISO 4217", nullable=True),
        Column("sale_price_minor", _I64, "price while the sale lasts, minor units", **MONEY),  # type: ignore[arg-type]
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
        DAY,
        ITEM,
        Column("first_us", _I64, "instant of the first event that names it", low=0),
        Column("title", _S, "title that most rows tell, the first by name of several", nullable=True),
        Column("title_rows", _I64, "rows that tell this title", low=0),
        Column("price_minor", _I64, "median price in `currency`, minor units, rounded down", **MONEY),  # type: ignore[arg-type]
        Column("currency", _S, "events.default_currency where a row names it, else what most rows name", nullable=True),
        Column("price_rows", _I64, "rows that tell a price in this currency", low=0),
    ),
    ("item_id",),
)

ITEMS = Table(
    "items",
    "one version of an item",
    (
        ITEM,
        Column("valid_from_us", _I64, "first instant of this version", low=0),
        Column("valid_to_us", _I64, "first instant after this version; missing while it is in force", nullable=True),
        Column("title", _S, "title"),
        Column("category", _S, "category path, parts joined by /", nullable=True),
        Column("brand", _S, "brand", nullable=True),
        Column("price_minor", _I64, "price, minor units; that of events where no feed has one", **MONEY),  # type: ignore[arg-type]
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
        DAY,
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
        DAY,
        USER,
        Column("rule", _S, "which rule"),
        Column("num_events", _I64, "the most events that were counted under the rule", low=1),
    ),
    ("user_key", "rule"),
)

IDENTITIES = Table(
    "identities",
    "whose a device was in a stretch of a day, on which it sent events without a login",
    (
        DAY,
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

SLATES = Table(
    "slates",
    "one place of one served slate",
    (
        DAY,
        Column("recommendation_id", _S, "id of the slate"),
        Column("place", _I32, "place, from 1", low=1),
        Column("at_us", _I64, "instant it was served", low=0),
        Column("user_key", _S, "keyed hash of the visitor", nullable=True, names_user=True),
        Column("placement", _S, "home, product"),
        ITEM,
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
        DAY,
        Column("event_name", _S, "event name; the source's own in measures of intake; empty for the whole day"),
        Column("column_name", _S, "column of `events` that was measured, or lateness_us; empty for rows as such"),
        Column("measure", _S, "what was measured; see docs/quality.md"),
        Column("value", _I64, "count, or quantile rounded down, in the column's unit"),
    ),
    ("event_name", "column_name", "measure"),
)
