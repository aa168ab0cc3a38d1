"""The log of a world as a GA4 BigQuery export: nested Arrow tables, one row an event.

Words are dictionaries with shared numbers until they are in the file: building a row costs a tenth of writing it.

Shapes: E events in order of time, I items of all events one after the other, S sessions, R lists, L places.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from endcap.core.clock import DAY_US, day_of
from endcap.simulation.catalogue import BRANDS, Catalogue
from endcap.simulation.visitors import COUNTRIES, DEVICES, TRAFFIC

__all__ = ["LISTS", "NAMES", "Log", "ga4_table"]

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

NAMES = (
    "view_item_list",
    "select_item",
    "view_item",
    "add_to_cart",
    "remove_from_cart",
    "begin_checkout",
    "purchase",
    "refund",
)
LISTS = ("Recommended", "Related Products")
_SHIPPING_MINOR = 495
_VARIANTS = ("1", "2", "3")
_MOST_VARIANTS = len(_VARIANTS)
_PURCHASE, _REFUND = NAMES.index("purchase"), NAMES.index("refund")


@dataclass(frozen=True)
class Log:
    """E events; the items of event e are `item[start[e] : start[e] + count[e]]`, and so is `quantity`.

    Args:
        at_us: E instants, whole milliseconds.
        name: E places in NAMES.
        cookie: E numbers.
        account: E customer numbers, -1 where nobody is logged in.
        session_us: E starts of sessions.
        country: E places in COUNTRIES.
        device: E places in DEVICES.
        traffic: E places in TRAFFIC.
        allows_ads: E booleans.
        list_number: E numbers of the list that an event comes from, -1 for none; they are the recommendation's id.
        is_related: E booleans: the list was one of related products.
        place: E places of the first item in that list, from 0.
        order: E order numbers, -1 for none.
        start: E.
        count: E.
        item: Item numbers.
        quantity: Pieces, 0 where none are told.
        unit_minor: E prices at which the items of an event were bought; None where the prices in force hold.
    """

    at_us: Ints
    name: Ints
    cookie: Ints
    account: Ints
    session_us: Ints
    country: Ints
    device: Ints
    traffic: Ints
    allows_ads: Bools
    list_number: Ints
    is_related: Bools
    place: Ints
    order: Ints
    start: Ints
    count: Ints
    item: NDArray[np.int32]
    quantity: NDArray[np.int32]
    unit_minor: Ints | None = None


def ga4_table(log: Log, goods: Catalogue, price_minor: Ints) -> pa.Table:
    """Build the export's rows; names, types and which columns are required are those of GA4.

    Args:
        log: The events.
        goods: The range.
        price_minor: N prices in force, minor units.
    """
    events = len(log.at_us)
    bounds = np.concatenate([[0], np.cumsum(log.count)])
    flat = np.arange(bounds[-1]) + np.repeat(log.start - bounds[:-1], log.count)
    item, quantity = log.item[flat], log.quantity[flat]
    unit_minor = price_minor[item] if log.unit_minor is None else np.repeat(log.unit_minor, log.count)
    place = (np.arange(bounds[-1]) - np.repeat(bounds[:-1] - log.place, log.count)).astype(np.int32)
    columns = {
        "event_date": _dates(log.at_us),
        "event_timestamp": pa.array(log.at_us),
        "event_name": _named(NAMES, log.name),
        "event_params": _params(log),
        "user_id": _numbered(log.account, prefix="customer-"),
        "user_pseudo_id": _numbered(log.cookie),
        "privacy_info": _struct(
            analytics_storage=_named(("Yes",), np.zeros(events, np.int64)),
            ads_storage=_named(("No", "Yes"), log.allows_ads.astype(np.int64)),
        ),
        "device": _struct(
            category=_named([each[0] for each in DEVICES], log.device),
            operating_system=_named([each[1] for each in DEVICES], log.device),
            web_info=_struct(
                browser=_named([each[2] for each in DEVICES], log.device),
                hostname=_named([each[2] for each in COUNTRIES], log.country),
            ),
        ),
        "geo": _struct(
            country=_named([each[0] for each in COUNTRIES], log.country),
            region=_named(("(not set)",), np.zeros(events, np.int64)),
        ),
        "traffic_source": _struct(
            name=_named([each[0] for each in TRAFFIC], log.traffic),
            medium=_named([each[1] for each in TRAFFIC], log.traffic),
            source=_named([each[2] for each in TRAFFIC], log.traffic),
        ),
        "ecommerce": _ecommerce(log, quantity, unit_minor, bounds),
        "items": pa.ListArray.from_arrays(
            pa.array(bounds, pa.int32()), _items(log, goods, unit_minor, (item, quantity, place))
        ),
    }
    optional = ("event_date", "user_id")
    schema = pa.schema([pa.field(name, column.type, nullable=name in optional) for name, column in columns.items()])
    return pa.table(columns, schema=schema)


def _params(log: Log) -> pa.Array:
    """Give each event its session's id, its first second; and what comes from a list the id of the recommendation."""
    has_list = log.list_number >= 0
    bounds = np.concatenate([[0], np.cumsum(1 + has_list)])
    key = np.zeros(bounds[-1], np.int64)
    key[bounds[:-1][has_list] + 1] = 1
    seconds = np.zeros(bounds[-1], np.int64)
    seconds[bounds[:-1]] = log.session_us // 1_000_000
    number = np.full(bounds[-1], -1)
    number[key == 1] = log.list_number[has_list]
    nothing = pa.nulls(bounds[-1], pa.float64())
    value = _struct(
        string_value=_numbered(number, prefix="r"),
        int_value=pa.array(seconds, mask=key == 1),
        float_value=nothing,
        double_value=nothing,
    )
    element = _struct(key=_named(("ga_session_id", "recommendation_id"), key), value=value)
    return pa.ListArray.from_arrays(pa.array(bounds, pa.int32()), element)


def _ecommerce(log: Log, quantity: NDArray[np.int32], unit_minor: Ints, bounds: Ints) -> pa.Array:
    """Number the orders; an order's total has shipping in it, as in a real shop."""
    minor = np.concatenate([[0], np.cumsum(quantity * unit_minor)])
    pieces = np.concatenate([[0], np.cumsum(quantity, dtype=np.int64)])
    total, num_pieces = np.diff(minor[bounds]), np.diff(pieces[bounds])
    is_purchase, is_refund = log.name == _PURCHASE, log.name == _REFUND
    return _struct(
        transaction_id=_numbered(np.where(is_purchase | is_refund, log.order, -1), prefix="T"),
        purchase_revenue=pa.array((total + _SHIPPING_MINOR) / 100, mask=~is_purchase),
        refund_value=pa.array(total / 100, mask=~is_refund),
        shipping_value=pa.array(np.full(len(total), _SHIPPING_MINOR / 100), mask=~is_purchase),
        total_item_quantity=pa.array(num_pieces.astype(np.float64), mask=num_pieces == 0),
    )


def _items(
    log: Log,
    goods: Catalogue,
    unit_minor: Ints,
    flat: tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]],
) -> pa.Array:
    """Build the nested items; lists and clicks in them name places and no variants, related lists tell no prices."""
    item, quantity, place = flat
    known, number = _seen(item, len(goods.weight))
    ids = goods.item_ids.take(pa.array(known))
    name = np.repeat(log.name.astype(np.int8), log.count)
    is_listed = name <= NAMES.index("select_item")
    related = np.repeat(log.is_related.astype(np.int8), log.count)
    price = unit_minor / 100
    variants = pc.binary_join_element_wise(ids.take(pa.array(np.repeat(np.arange(len(known)), _MOST_VARIANTS))),
                                           pa.array(np.tile(_VARIANTS, len(known))), "-")  # fmt: skip
    # Who comes back to an item comes back to the variant in his size.
    variant = number * _MOST_VARIANTS + np.repeat(log.cookie, log.count) % (1 + item % _MOST_VARIANTS)
    brand = np.array([-1, -1, *range(len(BRANDS) - 2)])[goods.brand[known]].astype(np.int32)
    most = int(place.max(initial=0)) + 1
    return _struct(
        item_id=pa.DictionaryArray.from_arrays(pa.array(number), ids),
        item_name=pa.DictionaryArray.from_arrays(pa.array(number), goods.titles.take(pa.array(known))),
        item_brand=_named(BRANDS[2:], brand[number]),
        item_variant=pa.DictionaryArray.from_arrays(pa.array(variant.astype(np.int32), mask=is_listed), variants),
        item_category=pa.DictionaryArray.from_arrays(
            pa.array(goods.category[known].astype(np.int32)[number]), pa.array(goods.categories)
        ),
        price=pa.array(price, mask=(name == 0) & (related > 0)),
        quantity=pa.array(quantity.astype(np.int64), mask=quantity == 0),
        item_revenue=pa.array(price * quantity, mask=name != _PURCHASE),
        item_refund=pa.array(price * quantity, mask=name != _REFUND),
        item_list_name=pa.DictionaryArray.from_arrays(pa.array(related, mask=~is_listed), pa.array(LISTS)),
        item_list_index=pa.DictionaryArray.from_arrays(
            pa.array(place, mask=~is_listed), pa.array([str(each + 1) for each in range(most)])
        ),
    )


def _seen(item: NDArray[np.int32], items: int) -> tuple[Ints, NDArray[np.int32]]:
    """Return the items that occur, ascending, and which of them each row is: a dictionary holds no others."""
    is_there = np.zeros(items, bool)
    is_there[item] = True
    known = np.flatnonzero(is_there)
    number = np.zeros(items, np.int32)
    number[known] = np.arange(len(known), dtype=np.int32)
    return known, number[item]


def _dates(at_us: Ints) -> pa.Array:
    day, which = np.unique(at_us // DAY_US, return_inverse=True)
    words = [day_of(each * DAY_US).replace("-", "") for each in day.tolist()]
    return _named(words, which)


def _named(words: Sequence[str], number: NDArray[np.int64] | NDArray[np.int32]) -> pa.Array:
    """Return the words of these numbers, missing where a number is negative; a word may stand twice among them."""
    known = list(dict.fromkeys(words))
    place = np.array([known.index(word) for word in words], np.int32)[np.maximum(number, 0)]
    return pa.DictionaryArray.from_arrays(pa.array(place, mask=number < 0), pa.array(known, pa.string()))


def _numbered(number: Ints, *, prefix: str = "") -> pa.Array:
    """Write numbers as words, missing where they are negative."""
    known, which = np.unique(number, return_inverse=True)
    first = int(np.searchsorted(known, 0))
    words = [f"{prefix}{each}" for each in known[first:].tolist()]
    place = np.maximum(which - first, 0).astype(np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(place, mask=number < 0), pa.array(words, pa.string()))


def _struct(**parts: pa.Array) -> pa.Array:
    return pa.StructArray.from_arrays(list(parts.values()), names=list(parts))
