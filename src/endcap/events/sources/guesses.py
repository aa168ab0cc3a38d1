"""Which column of a flat file probably holds what, by the names that shops and trackers use."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["COLUMN_SETTINGS", "FOLDED_BY_DEFAULT", "RENAMES", "guess_columns"]

RENAMES = {
    "product list viewed": "view_item_list",
    "list_view": "view_item_list",
    "product clicked": "select_item",
    "list_click": "select_item",
    "product viewed": "view_item",
    "product_view": "view_item",
    "product_viewed": "view_item",
    "view": "view_item",
    "product added": "add_to_cart",
    "addtocart": "add_to_cart",
    "cart": "add_to_cart",
    "product removed": "remove_from_cart",
    "remove_from_basket": "remove_from_cart",
    "checkout started": "begin_checkout",
    "order completed": "purchase",
    "transaction": "purchase",
    "order refunded": "refund",
    "promotion viewed": "view_promotion",
    "promo_view": "view_promotion",
    "promotion clicked": "select_promotion",
    "promo_click": "select_promotion",
    "products searched": "search",
}
"""Event names of Segment, Snowplow and common data sets, lower case -> canonical."""

FOLDED_BY_DEFAULT = {"quickview": "view_item"}
"""Custom events known to fire together with a canonical one."""

_NAMES: dict[str, tuple[str, ...]] = {
    "time": (
        "event_timestamp",
        "timestamp",
        "ts",
        "time",
        "event_time",
        "datetime",
        "date",
        "created_at",
        "invoice_date",
        "order_date",
        "at",
        "at_us",
    ),
    "event_name": ("event_name", "event", "event_type", "action", "behavior", "behaviour"),
    "event_id": ("event_id", "message_id", "insert_id"),
    "user_id": ("user_id", "customer_id", "user", "customer", "client_id", "visitorid", "visitor_id", "household_id"),
    "device_id": ("user_pseudo_id", "device_id", "anonymous_id", "cookie", "cookie_id"),
    "session_id": ("session_id", "user_session", "session", "ga_session_id"),
    "item_id": ("item_id", "product_id", "stock_code", "sku", "item", "product", "article_id", "asin"),
    "item_name": ("item_name", "product_name", "description", "title", "product_title", "name"),
    "item_variant": ("item_variant", "variant", "variant_id"),
    "price": ("price", "unit_price"),
    "quantity": ("quantity", "qty", "pieces", "units"),
    "value": ("value", "order_value", "revenue", "order_total"),
    "currency": ("currency", "currency_code"),
    "transaction_id": ("transaction_id", "order_id", "invoice", "invoice_no", "order_number", "basket_id", "orderid"),
    "item_list_id": ("item_list_id", "item_list_name", "list_id"),
    "place": ("place", "position", "item_list_index"),
    "search_term": ("search_term", "query"),
    "recommendation_id": ("recommendation_id", "recommid"),
    "country": ("country", "country_code"),
    "device_category": ("device_category", "device_type", "device"),
}

COLUMN_SETTINGS = tuple(_NAMES)
"""Settings of the mapped reader that name a column, the most telling first."""


def guess_columns(columns: Sequence[str], kinds: Mapping[str, Any]) -> dict[str, str]:
    """Guess what the columns of a flat file hold.

    Args:
        columns: The file's columns.
        kinds: Column -> Ibis type; a lone timestamp is the time, whatever its name.

    Returns:
        Setting of the mapped reader -> column; what is unsure is left out.
    """
    plain = {_plain(column): column for column in columns}
    found: dict[str, str] = {}
    for setting, names in _NAMES.items():
        match = next((plain[_plain(name)] for name in names if _plain(name) in plain), None)
        if match is not None and match not in found.values():
            found[setting] = match
    times = [column for column in columns if kinds[column].is_timestamp()]
    if len(times) == 1:
        found["time"] = times[0]
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
