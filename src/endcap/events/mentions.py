"""What a day's events say of the items that they name: title and price, for what no feed describes."""

from typing import Any

import ibis

from endcap.core.tables import ITEM_MENTIONS
from endcap.engines.contracts import under_contract
from endcap.events.config import EventsConfig

__all__ = ["build_mentions"]

_DAILY = ("date_partition", "item_id")


def build_mentions(events: ibis.Table, config: EventsConfig) -> ibis.Table:
    """Return one row for each item and day that any event names it.

    The title is the one that most rows tell. The price is the median in one currency: the default one, else the one
    that most rows name. Ties go to the name that comes first.

    Args:
        events: Under the contract EVENTS, whole days.
        config: `[events]`: the default currency.
    """
    rows = events.filter(events.item_id.notnull())
    named = rows.group_by(list(_DAILY)).aggregate(first_us=rows.at_us.min())
    told = _joined(_joined(named, _titles(rows)), _prices(rows, config))
    counts = {name: told[name].fill_null(0) for name in ("title_rows", "price_rows")}
    return under_contract(told.mutate(**counts), ITEM_MENTIONS).order_by(list(_DAILY))


def _titles(rows: ibis.Table) -> ibis.Table:
    told = rows.filter(rows.item_name.notnull()).rename(title="item_name")
    counted = told.group_by([*_DAILY, "title"]).aggregate(title_rows=told.count())
    return _first(counted, [ibis.desc("title_rows"), "title"]).select(*_DAILY, "title", "title_rows")


def _prices(rows: ibis.Table, config: EventsConfig) -> ibis.Table:
    told = rows.filter(rows.price_minor.notnull() & rows.currency.notnull())
    counted = told.group_by([*_DAILY, "currency"]).aggregate(
        price_rows=told.count(), price_minor=told.price_minor.median().floor().cast("int64")
    )
    is_other = counted.currency != ibis.literal(config.default_currency or "")
    ranked = _first(counted.mutate(is_other=is_other.cast("int64")), ["is_other", ibis.desc("price_rows"), "currency"])
    return ranked.select(*_DAILY, "price_minor", "currency", "price_rows")


def _first(table: ibis.Table, order: list[Any]) -> ibis.Table:
    place = ibis.row_number().over(group_by=list(_DAILY), order_by=order)
    return table.mutate(place=place).filter(lambda ranked: ranked.place == 0)


def _joined(left: ibis.Table, right: ibis.Table) -> ibis.Table:
    return left.left_join(right, list(_DAILY)).drop("date_partition_right", "item_id_right")
