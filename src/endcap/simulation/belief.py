"""What can be known of a visitor's taste from what he was seen to do: a filter over the finite mixture, exactly.

The reference knows the world's laws but not the visitor. Its belief is K probabilities; each page multiplies them by
how likely the page is under each taste (Bayes), each night mixes them with the prior, as tastes are drawn anew with a
known probability. A ranking by what is expected of the next step under this belief is Bayes-optimal: no model that sees
the same history can expect more of it. A ranking by the true taste is the clairvoyant's.

Shapes: V visitors, K tastes, P pages, B questions, N items, L places.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from endcap.core.clock import next_day
from endcap.simulation.settings import World
from endcap.simulation.tastes import Laws, Tastes
from endcap.simulation.truth import click_given_eye

__all__ = ["Pages", "belief_overnight", "beliefs_of", "likelihood", "pages_of"]

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pages:
    """P pages of a day as `truth.pages_table` tells them, without the tastes.

    Args:
        visitor: P numbers of visitors.
        session_us: P starts of sessions.
        number: P numbers of pages in their session.
        at_us: P instants.
        before: P items viewed before, -1 for none.
        bought: P items that a landing may go back to, -1 for none.
        is_list: P booleans.
        place: P places clicked, -1 for none.
        item: P items viewed, -1 for none.
        can_cart: P booleans: viewed, and in stock.
        is_carted: P booleans.
        slate: P x L items, -1 where nothing is shown.
    """

    visitor: Ints
    session_us: Ints
    number: Ints
    at_us: Ints
    before: Ints
    bought: Ints
    is_list: Bools
    place: Ints
    item: Ints
    can_cart: Bools
    is_carted: Bools
    slate: NDArray[np.int32]

    def rows(self, which: Ints) -> "Pages":
        """Return some of the pages."""
        return Pages(*(getattr(self, each)[which] for each in self.__dataclass_fields__))


def pages_of(table: pa.Table, places: int) -> Pages:
    """Read the pages of a day.

    Args:
        table: As `truth.pages_table` makes it.
        places: L.
    """

    def column(name: str) -> NDArray[np.int64]:
        values: Ints = table.column(name).to_numpy().astype(np.int64)
        return values

    is_list = column("is_list") > 0
    slate = np.full((table.num_rows, places), -1, np.int32)
    shown = table.column("slate").combine_chunks().drop_null()
    if len(shown):
        values = shown.flatten().to_numpy().reshape(len(shown), -1)
        slate[is_list, : values.shape[1]] = values
    return Pages(
        visitor=column("visitor"),
        session_us=column("session_us"),
        number=column("page"),
        at_us=column("at_us"),
        before=column("before"),
        bought=column("bought"),
        is_list=is_list,
        place=column("place"),
        item=column("item"),
        can_cart=column("can_cart") > 0,
        is_carted=column("is_carted") > 0,
        slate=slate,
    )


def likelihood(world: World, laws: Laws, pages: Pages) -> Floats:
    """Return P x K: how likely each page is under each taste, up to a factor that is the same for all tastes."""
    tastes = np.arange(world.tastes)
    likely = np.ones((len(pages.visitor), world.tastes))
    own, lists = np.flatnonzero(~pages.is_list), np.flatnonzero(pages.is_list)
    by_himself = laws.chosen_by_themselves(tastes[None, :], pages.before[own, None], pages.item[own, None])
    goes_back = (pages.bought[own] >= 0) & laws.is_sold[pages.bought[own]] & (pages.number[own] == 0)
    p_back = world.p_repeat * goes_back
    likely[own] = (1 - p_back)[:, None] * by_himself + (p_back * (pages.bought[own] == pages.item[own]))[:, None]
    attention = np.asarray(world.attention)[: pages.slate.shape[1]]
    for taste in tastes.tolist():
        same = np.full(len(lists), taste)
        p_RL = click_given_eye(laws, same, pages.before[lists], pages.slate[lists]) * attention
        place = pages.place[lists]
        clicked = p_RL[np.arange(len(lists)), np.maximum(place, 0)]
        likely[lists, taste] = np.where(place >= 0, clicked, 1 - p_RL.sum(axis=1))
    viewed = np.flatnonzero(pages.can_cart)
    cart_PK = laws.cart_KN[:-1][:, pages.item[viewed]].T
    likely[viewed] *= np.where(pages.is_carted[viewed, None], cart_PK, 1 - cart_PK)
    return likely


def belief_overnight(world: World, tastes: Tastes, belief_VK: Floats, day: int) -> Floats:
    """Return the belief of the morning of day number `day` (from 1) from that of the evening before."""
    stays = 1 - world.drift
    if world.shock_day and next_day(world.start, day) == world.shock_day:
        stays *= 1 - world.shock_share
    return stays * belief_VK + (1 - stays) * tastes.prior


def beliefs_of(likely_PK: Floats, pages: Pages, morning_VK: Floats) -> tuple[Floats, Floats]:
    """Return the beliefs before each of a day's pages, and those of the evening.

    Args:
        likely_PK: See `likelihood`.
        pages: Of the day, in any order.
        morning_VK: Of all visitors.

    Returns:
        P x K beliefs before each page, from all earlier ones of the visitor; V x K of the evening.
    """
    if not len(pages.visitor):
        return likely_PK, morning_VK.copy()
    # By the instant at which they are opened: sessions of one visitor on two devices may go side by side.
    order = np.lexsort((pages.number, pages.session_us, pages.at_us, pages.visitor))
    visitor = pages.visitor[order]
    begins = np.flatnonzero(np.diff(visitor, prepend=-1))
    logs = _log(likely_PK[order])
    sums = np.cumsum(logs, axis=0)
    own = np.repeat(begins, np.diff(begins, append=len(visitor)))
    earlier = sums - logs - (sums[own] - logs[own])
    before_PK = np.empty_like(logs)
    before_PK[order] = _normal(_log(morning_VK[visitor]) + earlier)
    ends = np.append(begins[1:], len(visitor)) - 1
    evening_VK = morning_VK.copy()
    whole = earlier[ends] + logs[ends]
    evening_VK[visitor[ends]] = _normal(_log(morning_VK[visitor[ends]]) + whole)
    return before_PK, evening_VK


def _log(p: Floats) -> Floats:
    found: Floats = np.log(np.maximum(p, 1e-300))
    return found


def _normal(logs: Floats) -> Floats:
    found = np.exp(logs - logs.max(axis=1, keepdims=True))
    total: Floats = found / found.sum(axis=1, keepdims=True)
    return total
