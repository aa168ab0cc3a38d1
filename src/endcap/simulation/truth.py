"""The truth of a day: every page with what was expected of it. It lies beside the export, never inside it.

What is expected of a list is exact: the eye falls on place j with the world's attention, and what then happens with the
item there follows from the laws of the visitor's taste. Nothing is drawn.

Shapes: P pages, R lists, L places.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from endcap.simulation.catalogue import Catalogue
from endcap.simulation.files import whole_file, write_parquet
from endcap.simulation.journeys import Day, Journeys
from endcap.simulation.settings import World
from endcap.simulation.tastes import Laws, Tastes, pull
from endcap.simulation.visitors import State, Visitors

__all__ = [
    "Expected",
    "click_given_eye",
    "drift_table",
    "expected_of",
    "expected_of_day",
    "morning_table",
    "p_paid",
    "pages_table",
    "visitors_table",
    "write_world",
]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Expected:
    """What is expected of R lists, each given its visitor's taste and the item before.

    Args:
        clicks: R expected clicks.
        carts: R expected carts of items clicked in the list.
        purchases: R expected lines paid of items clicked in the list, if the day's stock lasts.
    """

    clicks: Floats
    carts: Floats
    purchases: Floats


def expected_of(world: World, day: Day, taste: Ints, before: Ints, slates: NDArray[np.int32]) -> Expected:
    """Compute what is expected of lists.

    Args:
        world: The world.
        day: Its laws and stock.
        taste: R numbers of tastes.
        before: R items viewed before, -1 for none.
        slates: R x L item numbers, -1 at the end of a short list.
    """
    p_RL = click_given_eye(day.laws, taste, before, slates) * np.asarray(world.attention)[: slates.shape[1]]
    cart_RL = p_RL * day.laws.cart_KN[taste[:, None], slates] * day.in_stock[slates]
    carts = cart_RL.sum(axis=1)
    return Expected(p_RL.sum(axis=1), carts, carts * p_paid(world))


def click_given_eye(laws: Laws, taste: Ints, before: Ints, slates: NDArray[np.int32]) -> Floats:
    """Return R x L probabilities with which a looked-at item is clicked."""
    p_RL = laws.attraction_KN[taste[:, None], slates].astype(np.float64)
    known = np.flatnonzero(before >= 0)
    p_RL[known] += laws.pull_strength * pull(laws.complements, before[known], slates[known])
    return np.where(slates >= 0, p_RL, 0.0)


def p_paid(world: World) -> float:
    """Return the probability that what is in the cart is paid for, if the stock lasts."""
    return (1 - world.p_remove) * world.p_checkout * world.p_pay


def expected_of_day(world: World, day: Day, made: Journeys) -> Expected:
    """Compute what is expected of the lists of a block's day, in the order of their pages."""
    listed = np.flatnonzero(made.is_list)
    taste = made.taste[made.session[listed]]
    return expected_of(world, day, taste, made.before[listed], made.slates[made.row[listed]])


def pages_table(day: Day, made: Journeys, expected: Expected) -> pa.Table:
    """Return P rows: who was where, what was shown, clicked, viewed, carted, and what was expected of the lists.

    Numbers are the world's: of visitors, items, tastes. `slate` and `propensity` are missing on item pages.

    Args:
        day: What the day began with.
        made: What visitors did.
        expected: Of the lists; see `expected_of_day`.
    """
    listed = np.flatnonzero(made.is_list)
    of, taste = made.session, made.taste[made.session]
    can_cart = (made.item >= 0) & day.in_stock[made.item]
    ends = np.concatenate([[0], np.cumsum(made.is_list)]) * made.slates.shape[1]
    values = made.row[listed]
    columns = {
        "visitor": pa.array((made.people.first + made.sessions.visitor[of]).astype(np.int32)),
        "session_us": pa.array(made.sessions.start_us[of]),
        "page": pa.array(made.number.astype(np.int16)),
        "at_us": pa.array(made.at_us),
        "taste": pa.array(taste.astype(np.int8)),
        "before": pa.array(made.before.astype(np.int32)),
        "bought": pa.array(np.where(made.number == 0, made.bought, -1).astype(np.int32)),
        "is_list": pa.array(made.is_list),
        "place": pa.array(made.place.astype(np.int16)),
        "item": pa.array(made.item.astype(np.int32)),
        "can_cart": pa.array(can_cart),
        "is_carted": pa.array(made.is_carted),
        "slate": _lists(made.slates[values], ends, made.is_list),
        "propensity": _lists(made.propensity[values], ends, made.is_list),
        "expected_clicks": _of_lists(expected.clicks, made.is_list, listed),
        "expected_carts": _of_lists(expected.carts, made.is_list, listed),
        "expected_purchases": _of_lists(expected.purchases, made.is_list, listed),
    }
    return pa.table(columns)


def visitors_table(people: Visitors, state: State) -> pa.Table:
    """Return U rows: who is who. The identity map joins cookies and customer numbers of the log to people."""
    count = len(people.is_bot)
    second = np.where(people.account >= 0, people.cookie[:, 1], -1)
    customers = pc.binary_join_element_wise("customer-", pa.array(people.account).cast(pa.string()), "")
    return pa.table(
        {
            "visitor": pa.array(np.arange(people.first, people.first + count, dtype=np.int32)),
            "is_bot": pa.array(people.is_bot),
            "cookie": pa.array(people.cookie[:, 0]).cast(pa.string()),
            "second_cookie": pa.array(second, mask=second < 0).cast(pa.string()),
            "user_id": pc.if_else(pa.array(people.account >= 0), customers, None),
            "allows_ads": pa.array(people.allows_ads),
            "activity": pa.array(people.activity),
            "first_taste": pa.array(state.taste.astype(np.int8)),
        }
    )


def drift_table(drifted: Ints, drawn: Ints) -> pa.Table:
    """Return a row for each visitor whose taste was drawn anew in the morning: who, and the taste."""
    return pa.table({"visitor": pa.array(drifted.astype(np.int32)), "taste": pa.array(drawn.astype(np.int8))})


def morning_table(day: Day, pieces: Ints) -> pa.Table:
    """Return N rows: what a day begins with. `popular` is the place among what was viewed most often, -1 for others."""
    is_offered = np.zeros(len(pieces), bool)
    is_offered[day.offered] = True
    popular = np.full(len(pieces), -1, np.int16)
    popular[day.popular] = np.arange(len(day.popular))
    return pa.table(
        {"pieces": pa.array(pieces.astype(np.int32)), "is_offered": pa.array(is_offered), "popular": pa.array(popular)}
    )


def write_world(folder: Path, world: World, goods: Catalogue, tastes: Tastes) -> None:
    """Write what does not change from day to day: the range with its weights, and the tastes."""
    columns = {
        "item": pa.array(np.arange(world.items, dtype=np.int32)),
        "item_id": goods.item_ids,
        "category": pa.array(goods.categories).take(pa.array(goods.category)),
        "weight": pa.array(goods.weight),
        "price_minor": pa.array(goods.price_minor),
        "cost_minor": pa.array(goods.cost_minor),
        "first_week": pa.array(goods.first_week),
        "end_week": pa.array(goods.end_week),
        "complements": pa.array(list(goods.complements)),
    }
    write_parquet(folder / "catalogue.parquet", [pa.table(columns)])
    with whole_file(folder / "tastes.npz") as part, part.open("wb") as file:
        np.savez(
            file,
            prior=tastes.prior,
            category_KC=tastes.category_KC,
            brand_KB=tastes.brand_KB,
            price_K=tastes.price_K,
        )


def _lists(values: NDArray[np.int32] | NDArray[np.float32], ends: Ints, is_list: NDArray[np.bool_]) -> pa.Array:
    offsets = pa.array(ends, pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.array(values.ravel()), mask=pa.array(~is_list))


def _of_lists(values: Floats, is_list: NDArray[np.bool_], listed: Ints) -> pa.Array:
    column = np.zeros(len(is_list), np.float32)
    column[listed] = values
    return pa.array(column, mask=~is_list)
