"""The simulated log as enriched Snowplow events with e-commerce entities, one JSON object a line."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from endcap.simulation.flat import ORDERS, events_with_items, known, write_json_lines

__all__ = ["SNOWPLOW_TYPES", "write_snowplow"]

SNOWPLOW_TYPES = {
    "view_item_list": "list_view",
    "select_item": "list_click",
    "view_item": "product_view",
    "add_to_cart": "add_to_cart",
    "remove_from_cart": "remove_from_cart",
    "begin_checkout": "checkout_step",
    "purchase": "transaction",
    "refund": "refund",
}
"""GA4's event name -> Snowplow's type of e-commerce action; other events are left out."""

_VENDOR = "com_snowplowanalytics_snowplow_ecommerce_"


def write_snowplow(path: Path, table: pa.Table) -> None:
    """Write one day as enriched events.

    Args:
        path: The file; it appears whole or not at all.
        table: The day's events as `simulation/ga4.py` writes them.
    """
    told = events_with_items(table)
    write_json_lines(path, (_enriched(*each) for each in told if each[0]["event_name"] in SNOWPLOW_TYPES))


def _enriched(event: dict[str, Any], items: list[dict[str, Any]]) -> dict[str, Any]:
    kind = SNOWPLOW_TYPES[event["event_name"]]
    action = known({"type": kind, "name": items[0]["item_list_name"] if items else None})
    entities = {"product_1": [_product(event, item) for item in items]}
    if event["event_name"] in ORDERS:
        amount = "refund_amount" if kind == "refund" else "revenue"
        order = {"transaction_id": event["order_id"], amount: float(event["value"]), "currency": event["currency"]}
        entities[f"{kind}_1"] = [order]
    return known(
        {
            "app_id": "shop",
            "platform": "web",
            "event": "unstruct",
            "event_name": "snowplow_ecommerce_action",
            "event_vendor": "com.snowplowanalytics.snowplow.ecommerce",
            "event_id": event["event_id"],
            "collector_tstamp": event["time"],
            "derived_tstamp": event["time"],
            "user_id": event["user_id"],
            "domain_userid": event["device_id"],
            "domain_sessionid": event["session_id"],
            "geo_country": event["country"],
            "dvce_type": event["device_category"],
            f"unstruct_event_{_VENDOR}snowplow_ecommerce_action_1": action,
            **{f"contexts_{_VENDOR}{name}": each for name, each in entities.items()},
        }
    )


def _product(event: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    return known(
        {
            "id": item["item_id"],
            "name": item["item_name"],
            "category": item["item_category"],
            "brand": item["item_brand"],
            "variant": item["item_variant"],
            "price": item["price"],
            "quantity": item["quantity"],
            "position": None if item["place"] is None else int(item["place"]),
            "currency": event["currency"],
        }
    )
