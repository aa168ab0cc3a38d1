"""Enriched events of Snowplow with its e-commerce entities: as its enricher writes them (131 fields) or as JSON.

As JSON each kind of entity is a field (`contexts_..._product_1`), as Snowplow's analytics SDKs and loaders name them;
in the enricher's text they stand in `contexts`, each with the address of its schema.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from endcap.events.sources.lines import plain_name, read_content, split_lines
from endcap.events.sources.told import Told, as_list, as_text, decoded, nested, objects_of, told_items

__all__ = ["snowplow_event", "snowplow_objects", "tell_snowplow"]

# Places of what is read among the fields that an enriched event has since 2017.
_FIELDS = {
    "event_id": 6,
    "collector_tstamp": 3,
    "user_id": 12,
    "domain_userid": 15,
    "network_userid": 17,
    "geo_country": 18,
    "contexts": 52,
    "unstruct_event": 58,
    "dvce_type": 101,
    "domain_sessionid": 123,
    "derived_tstamp": 124,
    "event_name": 126,
    "true_tstamp": 130,
}
_NUM_FIELDS = 131
_TEXT = (".tsv", ".txt")
_ECOMMERCE = "com_snowplowanalytics_snowplow_ecommerce_"
_ACTION = "snowplow_ecommerce_action"
_LEGACY = {"transaction": "legacy_transaction", "refund": "legacy_refund"}  # its items are events of their own
_PRODUCT = {
    "item_id": ("id",),
    "item_name": ("name",),
    "item_variant": ("variant",),
    "price": ("price",),
    "quantity": ("quantity",),
    "place": ("position",),
}


def snowplow_objects(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the events of a file with their places; what is no event is None.

    Args:
        path: The enricher's text (.tsv, .txt) or JSON lines; maybe packed.

    Raises:
        SourceError: The file is missing or damaged.
    """
    if plain_name(path).endswith(_TEXT):
        for place, line in split_lines(read_content(path)):
            yield place, snowplow_event(line)
    else:
        yield from objects_of(path)


def tell_snowplow(event: Mapping[str, Any]) -> Told:
    """Read an event: an e-commerce action tells what was done, any other event its own name."""
    action = _entity(event, _ACTION)
    order, refund = _entity(event, "transaction"), _entity(event, "refund")
    products, name = _entities(event, "product"), as_text(event.get("event_name") or event.get("event"))
    return {
        "event_name": _LEGACY.get(name or "", name) if action is None else as_text(nested(action, "type")),
        "time": as_text(event.get("true_tstamp") or event.get("derived_tstamp") or event.get("collector_tstamp")),
        "received": as_text(event.get("collector_tstamp")),
        "user_id": as_text(event.get("user_id") or nested(_entity(event, "user"), "id")),
        "device_id": as_text(event.get("domain_userid") or event.get("network_userid")),
        "event_id": as_text(event.get("event_id")),
        "session_id": as_text(event.get("domain_sessionid")),
        "value": as_text(_first(nested(order, "revenue"), nested(refund, "refund_amount"))),
        "currency": as_text(
            _first(*(nested(each, "currency") for each in (order, refund, _entity(event, "cart"), *products)))
        ),
        "transaction_id": as_text(_first(nested(order, "transaction_id"), nested(refund, "transaction_id"))),
        "country": as_text(event.get("geo_country")),
        "device_category": as_text(event.get("dvce_type")),
        "item_list_id": as_text(nested(action, "name")),
        "items": told_items(products, _PRODUCT),
    }


def snowplow_event(line: bytes) -> dict[str, Any] | None:
    """Return the fields that are read of a line of the enricher, None where they cannot be read."""
    try:
        fields = line.rstrip(b"\r").decode("utf-8").split("\t")
    except UnicodeDecodeError:
        return None
    if len(fields) != _NUM_FIELDS:
        return None
    found: dict[str, Any] = {name: fields[place] for name, place in _FIELDS.items() if fields[place]}
    for name in ("contexts", "unstruct_event"):
        if name in found:
            found[name] = decoded(found[name].encode())
            if found[name] is None:
                return None
    return found


def _entity(event: Mapping[str, Any], name: str) -> Any:
    return next(iter(_entities(event, name)), None)


def _entities(event: Mapping[str, Any], name: str) -> list[Any]:
    """Return the e-commerce entities of a name, of whichever version, from either form of an event."""
    found = []
    for key, value in event.items():
        if re.fullmatch(rf"(contexts|unstruct_event)_{_ECOMMERCE}{name}_\d+(_\d+)*", key):
            found += as_list(value)
    told = nested(event.get("contexts"), "data")
    for each in [*(told if isinstance(told, list) else []), nested(event.get("unstruct_event"), "data")]:
        if f".ecommerce/{name}/" in str(nested(each, "schema")):
            found.append(nested(each, "data"))
    return found


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
