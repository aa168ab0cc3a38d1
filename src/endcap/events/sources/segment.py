"""Segment's e-commerce spec, version 2: one call an object, as Segment writes them into a bucket or a warehouse."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from endcap.events.sources.told import Told, as_list, as_text, nested, objects_of, told_items

__all__ = ["calls_of", "segment_objects", "tell_segment"]

_TRACK = "track"
_PRODUCT = {
    "item_id": ("product_id", "productId", "id", "sku"),
    "item_name": ("name",),
    "item_variant": ("variant", "sku"),
    "price": ("price",),
    "quantity": ("quantity",),
    "place": ("position",),
}


def segment_objects(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield what stands at each place of a file, the calls of a batch one by one.

    A batch takes as many places as it has calls, so what follows it in the file stands further on.

    Raises:
        SourceError: See `objects_of`.
    """
    further = 0
    for place, each in objects_of(path):
        calls = calls_of(each)
        for number, call in enumerate(calls):
            yield place + further + number, call
        further += max(0, len(calls) - 1)


def calls_of(each: Any) -> list[Any]:
    """Return the calls of an object: of a batch, as Segment's libraries send them, those in it; else itself.

    What a batch says of its context holds for its calls, where they say nothing else.
    """
    batch = each.get("batch") if isinstance(each, Mapping) else None
    if not isinstance(batch, list):
        return [each]
    context = each.get("context")
    if not isinstance(context, Mapping):
        return batch
    return [{**call, "context": _merged(context, call)} if isinstance(call, Mapping) else call for call in batch]


def _merged(context: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any]:
    own = call.get("context")
    return {**context, **own} if isinstance(own, Mapping) else {**context}


def tell_segment(call: Mapping[str, Any]) -> Told:
    """Read a call: a track call tells the event that it names, any other call (page, identify) its own type.

    A product stands among `products`, or is the properties themselves. Of an order `total` is what it came to;
    `revenue` is without shipping and counts where no total is told.
    """
    told, context = call.get("properties"), call.get("context")
    products = as_list(nested(told, "products"))
    is_single = any(nested(told, name) is not None for name in ("product_id", "productId", "sku"))
    values = (nested(told, name) for name in ("total", "revenue", "value"))
    return {
        "event_name": as_text(call.get("event") if call.get("type", _TRACK) == _TRACK else call.get("type")),
        "time": as_text(call.get("timestamp") or call.get("originalTimestamp")),
        "received": as_text(call.get("receivedAt")),
        "user_id": as_text(call.get("userId")),
        "device_id": as_text(call.get("anonymousId")),
        "event_id": as_text(call.get("messageId")),
        "session_id": as_text(nested(context, "sessionId") or nested(told, "session_id")),
        "value": as_text(next((value for value in values if value is not None), None)),
        "currency": as_text(nested(told, "currency")),
        "transaction_id": as_text(nested(told, "order_id")),
        "search_term": as_text(nested(told, "query")),
        "recommendation_id": as_text(nested(told, "recommendation_id")),
        "country": as_text(nested(context, "location", "country")),
        "device_category": as_text(nested(context, "device", "type")),
        "item_list_id": as_text(nested(told, "list_id") or nested(told, "list")),
        "items": told_items(products or ([told] if is_single else []), _PRODUCT),
    }
