"""User events of Google's search and recommendations for commerce (Retail API, Vertex AI): one event an object."""

from collections.abc import Mapping
from typing import Any

from endcap.events.sources.told import Told, ToldItem, as_list, as_text, nested

__all__ = ["tell_vertex"]

_LISTS = ("search", "home-page-view", "category-page-view")
_LIST = "view_item_list"


def tell_vertex(event: Mapping[str, Any]) -> Told:
    """Read an event: a page or a search that names products showed them in a list."""
    products = as_list(event.get("productDetails"))
    kind = as_text(event.get("eventType"))
    return {
        "event_name": _LIST if kind in _LISTS and products else kind,
        "time": as_text(event.get("eventTime")),
        "user_id": as_text(nested(event, "userInfo", "userId")),
        "device_id": as_text(event.get("visitorId")),
        "session_id": as_text(event.get("sessionId")),
        "value": as_text(nested(event, "purchaseTransaction", "revenue")),
        "currency": as_text(nested(event, "purchaseTransaction", "currencyCode") or _currency(products)),
        "transaction_id": as_text(nested(event, "purchaseTransaction", "id")),
        "search_term": as_text(event.get("searchQuery")),
        "recommendation_id": as_text(event.get("attributionToken")),
        "item_list_id": kind if kind in _LISTS and products else None,
        "items": [_item(each) for each in products],
    }


def _item(detail: Any) -> ToldItem:
    """Return an item; where only the product's resource name is told, its id is the last part of it."""
    name = as_text(nested(detail, "product", "name"))
    return {
        "item_id": as_text(nested(detail, "product", "id")) or (name.rpartition("/")[2] if name else None),
        "item_name": as_text(nested(detail, "product", "title")),
        "price": as_text(nested(detail, "product", "priceInfo", "price")),
        "quantity": as_text(nested(detail, "quantity")),
    }


def _currency(products: list[Any]) -> Any:
    return next((found for each in products if (found := nested(each, "product", "priceInfo", "currencyCode"))), None)
