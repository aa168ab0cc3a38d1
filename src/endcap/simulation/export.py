"""The simulated log as files: a GA4 BigQuery export, one nested Parquet file a UTC day, and a Merchant feed.

Shapes: E events, F items of all events one after the other, N items of the range.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from endcap.core.clock import day_start_us, next_day
from endcap.simulation.catalogue import Range
from endcap.simulation.journeys import LISTS, NAMES, Log
from endcap.simulation.visits import COUNTRIES, DEVICES, TRAFFIC, Visits

__all__ = ["write_events", "write_feed"]

_FEED = ("id", "title", "product_type", "brand", "link", "image_link", "price", "availability", "condition")
_SHIPPING_MINOR = 495
_WITH_VARIANT = ("view_item", "quickview", "add_to_cart", "remove_from_cart", "begin_checkout", "purchase")


@dataclass(frozen=True)
class _Flat:
    """E events in the order of the files; `event` names the event of each of the F items."""

    session: NDArray[np.int64]
    at_us: NDArray[np.int64]
    name: NDArray[np.int64]
    list_name: NDArray[np.int64]
    event: NDArray[np.int64]
    item: NDArray[np.int64]
    place: NDArray[np.int64]
    quantity: NDArray[np.int64]


def write_feed(path: Path, goods: Range) -> None:
    """Write the catalogue as a tab-separated Merchant feed."""
    lines = ["\t".join(_FEED)]
    for number, item_id in enumerate(goods.item_ids):
        price = f"{goods.price_minor[number] / 100:.2f} USD" if goods.is_priced[number] else ""
        availability = "in_stock" if goods.in_stock[number] else "out_of_stock"
        link = f"https://shop.example/{item_id}"
        cells = (item_id, goods.titles[number], goods.categories[number], goods.brands[number], link, f"{link}.jpg")
        lines.append("\t".join((*cells, price, availability, "new")))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_events(folder: Path, log: Log, goods: Range, visits: Visits, *, days: list[str]) -> dict[str, int]:
    """Write one file a day; what happens after the last day is in no file, as in an export made at midnight.

    Returns:
        Event name -> events written.
    """
    flat = _flatten(log, visits, before_us=day_start_us(next_day(days[-1])))
    table = _table(flat, goods, visits)
    ends = np.searchsorted(flat.at_us, [day_start_us(next_day(day)) for day in days])
    begin = 0
    for day, end in zip(days, ends.tolist(), strict=True):
        name = f"events_{day.replace('-', '')}.parquet"
        pq.write_table(table.slice(begin, end - begin), folder / name, compression="zstd")
        begin = end
    counts = np.bincount(flat.name, minlength=len(NAMES)).tolist()
    return dict(zip(NAMES, counts, strict=True))


def _flatten(log: Log, visits: Visits, *, before_us: int) -> _Flat:
    """Put the parts of the log together, in order of time."""
    session, at_us, name = (np.concatenate(parts) for parts in (log.session, log.at_us, log.name))
    order = np.lexsort((np.arange(len(at_us)), visits.cookie[session], at_us))
    order = order[at_us[order] < before_us]
    rank = np.full(len(at_us), -1)
    rank[order] = np.arange(len(order))
    event, place, item, quantity = [], [], [], []
    first = 0
    for items_EW, quantity_EW in zip(log.items, log.quantity, strict=True):
        row, column = np.nonzero(items_EW >= 0)
        event.append(rank[first + row])
        place.append(column + 1)
        item.append(items_EW[row, column])
        quantity.append(quantity_EW[row, column])
        first += len(items_EW)
    event_F = np.concatenate(event)
    by_event = np.argsort(event_F, kind="stable")
    by_event = by_event[event_F[by_event] >= 0]
    return _Flat(
        session=session[order],
        at_us=at_us[order],
        name=name[order],
        list_name=np.concatenate(log.list_name)[order],
        event=event_F[by_event],
        item=np.concatenate(item)[by_event],
        place=np.concatenate(place)[by_event],
        quantity=np.concatenate(quantity)[by_event],
    )


def _table(flat: _Flat, goods: Range, visits: Visits) -> pa.Table:
    """Build the export's table; names, types and which columns are required are those of GA4."""
    of = flat.session
    days = (flat.at_us // 86_400_000_000).astype("datetime64[D]").astype(str)
    login = visits.login[of]
    device = [_look_up([each[part] for each in DEVICES], visits.device[of]) for part in range(3)]
    traffic = [_look_up([each[part] for each in TRAFFIC], visits.traffic[of]) for part in range(3)]
    columns = {
        "event_date": pa.array(np.char.replace(days, "-", "")),
        "event_timestamp": pa.array(flat.at_us),
        "event_name": _look_up(NAMES, flat.name),
        "event_params": _params(visits.start_us[of] // 1_000_000),
        "user_id": _words(login, login >= 0, prefix="customer-"),
        "user_pseudo_id": _words(visits.cookie[of], np.ones(len(of), bool)),
        "device": _struct(category=device[0], operating_system=device[1], web_info=_struct(browser=device[2])),
        "geo": _struct(country=_look_up(COUNTRIES, visits.country[of]), region=_look_up(["(not set)"], of * 0)),
        "traffic_source": _struct(name=traffic[0], medium=traffic[1], source=traffic[2]),
        "ecommerce": _ecommerce(flat, goods),
        "items": _items(flat, goods),
    }
    optional = ("event_date", "user_id")
    schema = pa.schema([pa.field(name, column.type, nullable=name in optional) for name, column in columns.items()])
    return pa.table(columns, schema=schema)


def _params(session_s: NDArray[np.int64]) -> pa.Array:
    """Give each event the one parameter that every export has: the session's id, its first second."""
    nothing = np.zeros(len(session_s), bool)
    value = _struct(
        string_value=_words(session_s, nothing),
        int_value=pa.array(session_s),
        float_value=_numbers(session_s, nothing),
        double_value=_numbers(session_s, nothing),
    )
    element = _struct(key=_look_up(["ga_session_id"], session_s * 0), value=value)
    return pa.ListArray.from_arrays(pa.array(np.arange(len(session_s) + 1), pa.int32()), element)


def _ecommerce(flat: _Flat, goods: Range) -> pa.Array:
    """Number the orders; the order's total has shipping in it, as in a real shop."""
    events = len(flat.at_us)
    line_minor = flat.quantity * goods.price_minor[flat.item]
    total_minor = np.bincount(flat.event, line_minor, events) + _SHIPPING_MINOR
    pieces = np.bincount(flat.event, flat.quantity, events)
    is_order = flat.name == NAMES.index("purchase")
    return _struct(
        transaction_id=_words(10_000 + np.cumsum(is_order), is_order, prefix="T"),
        purchase_revenue=_numbers(total_minor / 100, is_order),
        total_item_quantity=_numbers(pieces, pieces > 0),
    )


def _items(flat: _Flat, goods: Range) -> pa.Array:
    """Build the nested items; lists name places and no variants, "Related Products" tells no prices."""
    name, list_name = flat.name[flat.event], flat.list_name[flat.event]
    has_variant = np.isin(name, [NAMES.index(each) for each in _WITH_VARIANT])
    is_priced = list_name != LISTS.index("Related Products")
    is_listed = list_name >= 0
    price = goods.price_minor[flat.item] / 100
    variants = [f"{item_id}-{1 + number % 3}" for number, item_id in enumerate(goods.item_ids)]
    is_order = name == NAMES.index("purchase")
    element = _struct(
        item_id=_look_up(goods.item_ids, flat.item),
        item_name=_look_up(goods.titles, flat.item),
        item_brand=_look_up([brand or None for brand in goods.brands], flat.item),
        item_variant=_look_up(variants, np.where(has_variant, flat.item, -1)),
        item_category=_look_up(goods.categories, flat.item),
        price=_numbers(price, is_priced),
        quantity=pa.array(flat.quantity, mask=flat.quantity == 0),
        item_revenue=_numbers(price * flat.quantity, is_order),
        item_list_name=_look_up(LISTS, list_name),
        item_list_index=_words(flat.place, is_listed),
    )
    starts = np.searchsorted(flat.event, np.arange(len(flat.at_us) + 1))
    return pa.ListArray.from_arrays(pa.array(starts, pa.int32()), element)


def _look_up(words: tuple[str, ...] | list[str] | list[str | None], number: NDArray[np.int64]) -> pa.Array:
    """Return the words of these numbers; missing where a number is negative."""
    return pa.array(words, pa.string()).take(pa.array(number, mask=number < 0))


def _words(number: NDArray[np.int64], is_there: NDArray[np.bool_], *, prefix: str = "") -> pa.Array:
    """Write numbers as words, missing where they are not there."""
    known, which = np.unique(number[is_there], return_inverse=True)
    place = np.full(len(number), -1)
    place[is_there] = which
    return _look_up([f"{prefix}{each}" for each in known.tolist()], place)


def _numbers(number: NDArray[np.float64] | NDArray[np.int64], is_there: NDArray[np.bool_]) -> pa.Array:
    return pa.array(number.astype(np.float64), mask=~is_there)


def _struct(**parts: pa.Array) -> pa.Array:
    return pa.StructArray.from_arrays(list(parts.values()), names=list(parts))
