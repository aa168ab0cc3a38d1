"""The simulated log as user events of Google's search and recommendations for commerce, one JSON object a line."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from endcap.simulation.flat import events_with_items, known, write_json_lines

__all__ = ["VERTEX_TYPES", "write_vertex"]

VERTEX_TYPES = {
    "view_item_list": "home-page-view",
    "view_item": "detail-page-view",
    "add_to_cart": "add-to-cart",
    "remove_from_cart": "remove-from-cart",
    "purchase": "purchase-complete",
}
"""GA4's event name -> Google's event type; other events have none and are left out."""


def write_vertex(path: Path, table: pa.Table) -> None:
    """Write one day as user events.

    Args:
        path: The file; it appears whole or not at all.
        table: The day's events as `simulation/ga4.py` writes them.
    """
    told = events_with_items(table)
    write_json_lines(path, (_user_event(*each) for each in told if each[0]["event_name"] in VERTEX_TYPES))


def _user_event(event: dict[str, Any], items: list[dict[str, Any]]) -> dict[str, Any]:
    user, order = event["user_id"], event["order_id"]
    transaction = {"id": order, "revenue": event["value"] and float(event["value"]), "currencyCode": event["currency"]}
    return known(
        {
            "eventType": VERTEX_TYPES[event["event_name"]],
            "visitorId": event["device_id"],
            "sessionId": event["session_id"],
            "eventTime": event["time"],
            "attributionToken": event["recommendation_id"],
            "userInfo": {"userId": user} if user else None,
            "purchaseTransaction": known(transaction) if order else None,
            "productDetails": [_detail(event, item) for item in items],
        }
    )


def _detail(event: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    price = item["price"]
    info = {"price": price, "currencyCode": event["currency"]} if price is not None else None
    product = known({"id": item["item_id"], "title": item["item_name"], "priceInfo": info})
    return known({"product": product, "quantity": item["quantity"]})
