"""The simulated log as Segment v2 track calls, one JSON object a line, as Segment writes them into a bucket.

Segment's e-commerce events put a single product straight into the properties; lists, carts and orders have `products`.
Shapes: E events, F items of all events one after the other.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from endcap.simulation.flat import ORDERS, iso_time, known, param, plain_events, plain_items, write_json_lines

__all__ = ["SEGMENT_NAMES", "write_segment"]

SEGMENT_NAMES = {
    "view_item_list": "Product List Viewed",
    "select_item": "Product Clicked",
    "view_item": "Product Viewed",
    "add_to_cart": "Product Added",
    "remove_from_cart": "Product Removed",
    "begin_checkout": "Checkout Started",
    "purchase": "Order Completed",
    "refund": "Order Refunded",
    "view_promotion": "Promotion Viewed",
    "select_promotion": "Promotion Clicked",
    "search": "Products Searched",
}
"""GA4's event name -> Segment's; every other event keeps its name, as a custom event does."""

_WITH_PRODUCTS = ("view_item_list", "view_search_results", "view_cart", "begin_checkout", *ORDERS)
_PRODUCT = {
    "product_id": "item_id",
    "sku": "item_variant",
    "category": "item_category",
    "name": "item_name",
    "brand": "item_brand",
    "variant": "item_variant",
    "price": "price",
    "quantity": "quantity",
    "coupon": "coupon",
}


def write_segment(path: Path, table: pa.Table) -> None:
    """Write one day as track calls, in the order of the events; what an event does not say is left out.

    Instants are cut to milliseconds, as Segment has them. `total` is what an order came to, `revenue` without shipping.

    Args:
        path: The file, `events_YYYYMMDD.jsonl`; it appears whole or not at all.
        table: The day's events as `simulation/ga4.py` writes them, E rows.
    """
    write_json_lines(path, _calls(table))


def _calls(table: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield E track calls."""
    items = plain_items(table)
    events = plain_events(table, items)
    times = iso_time(events["at_us"], unit="ms").to_pylist()
    products, lists = _products(items), items["item_list_name"].to_pylist()
    ends = np.cumsum(np.bincount(items["event"], minlength=len(events))).tolist()
    begin = 0
    shipping = pc.struct_field(table["ecommerce"], "shipping_value").to_pylist()
    rows = zip(events.to_pylist(), shipping, _contexts(table, events), times, ends, strict=True)
    for event, shipped, context, at, end in rows:
        list_id = lists[begin] if begin < end else None
        said = {
            "type": "track",
            "event": SEGMENT_NAMES.get(event["event_name"], event["event_name"]),
            "messageId": event["event_id"],
            "anonymousId": event["device_id"],
            "userId": event["user_id"],
            "timestamp": at,
            "receivedAt": at,
            "context": context,
            "properties": _properties(event, shipped, list_id, products[begin:end]),
        }
        yield known(said)
        begin = end


def _properties(
    event: dict[str, Any], shipped: float | None, list_id: str | None, products: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return what one event says of products and money."""
    name, value = event["event_name"], None if event["value"] is None else float(event["value"])
    is_order = name in ORDERS and value is not None
    said = {
        "list_id": list_id,
        "order_id": event["order_id"],
        "total": value if is_order else None,
        "revenue": round(value - (shipped or 0.0), 2) if is_order and value is not None else None,
        "shipping": shipped,
        "value": None if is_order else value,
        "currency": event["currency"],
        "query": event["search_term"],
        "recommendation_id": event["recommendation_id"],
    }
    is_single = len(products) == 1 and name not in _WITH_PRODUCTS
    return known({**said, **(products[0] if is_single else {"products": products})})


def _products(items: pa.Table) -> list[dict[str, Any]]:
    """Return F items under Segment's names; `sku` and `variant` are both the SKU, as GA4's item_variant is one."""
    columns = {name: items[column] for name, column in _PRODUCT.items()}
    columns["position"] = items["place"].cast(pa.int64())
    return [known(product) for product in pa.table(columns).to_pylist()]


def _contexts(table: pa.Table, events: pa.Table) -> Iterator[dict[str, Any]]:
    """Yield what E events tell of campaign, device, place and page."""
    pages = param(table, "page_location").to_pylist()
    systems = pc.struct_field(table["device"], "operating_system").to_pylist()
    nested = [table["traffic_source"].to_pylist(), table["geo"].to_pylist(), events["device_category"].to_pylist()]
    sessions = events["session_id"].to_pylist()
    for campaign, geo, device, system, page, session in zip(*nested, systems, pages, sessions, strict=True):
        yield known(
            {
                "campaign": known(campaign),
                "device": known({"type": device}),
                "os": known({"name": system}),
                "location": known(geo),
                "page": known({"url": page}),
                "sessionId": session,
            }
        )
