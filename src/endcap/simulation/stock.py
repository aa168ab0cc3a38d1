"""What lies on the shelves: stock that orders deplete and deliveries fill up, and what has been viewed so far.

Shapes: N items.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.simulation.catalogue import mean_of
from endcap.simulation.journeys import Day
from endcap.simulation.settings import World
from endcap.simulation.streams import Purpose, stream
from endcap.simulation.tastes import Laws, Tastes

__all__ = ["Shelves", "Till", "close_day", "first_shelves", "open_day", "order_at_till"]

Ints = NDArray[np.int64]

_COVER_DAYS = 20.0  # of mean demand that a full shelf holds
_VIEWS_A_SESSION = 3.0  # roughly, for the demand
_SOLD_COVER_DAYS = 8  # of a day's sales that a full shelf holds at least
_REORDER_AT = 0.25  # of a full shelf
_LEAD_DAYS = 4  # at most
_FORGETS = 0.9  # what a view counts the day after


@dataclass
class Shelves:
    """N shelves; changed in the evening.

    Args:
        pieces: What is there.
        full: What a delivery fills up to.
        due: Number of the day before which a delivery comes, -1 for none.
        views: How often each item was viewed, older days counting less.
    """

    pieces: Ints
    full: Ints
    due: Ints
    views: NDArray[np.float64]


def first_shelves(world: World, tastes: Tastes, laws: Laws) -> Shelves:
    """Fill the shelves before the first day; a full one lasts twenty days of mean demand, give or take.

    In a world without memory what is popular never changes: it is what the crowd wants.
    """
    rng = stream(world.seed, Purpose.CATALOGUE, day=1)
    crowd = tastes.prior @ laws.wanted_KN[:-1]
    views_a_day = _VIEWS_A_SESSION * world.visitors * (1 + mean_of(world.activity) / 2) / world.days
    demand = crowd * views_a_day * world.p_cart * world.p_checkout * world.p_pay
    full = np.ceil(4 + _COVER_DAYS * demand * rng.uniform(0.5, 1.5, len(demand))).astype(np.int64)
    views = crowd if world.is_memoryless else np.zeros(len(full))
    return Shelves(full.copy(), full, np.full(len(full), -1), views)


def open_day(world: World, laws: Laws, shelves: Shelves, day: int) -> Day:
    """Return what all visitors of a day find in the morning."""
    in_stock = shelves.pieces > 0 if world.has_stock else np.ones(len(shelves.pieces), bool)
    offered = np.flatnonzero(laws.is_sold & in_stock)
    if not len(offered):  # a shop that has sold out shows what it will have again
        offered = np.flatnonzero(laws.is_sold)
    places = min(world.places, len(offered))
    return Day(day, laws, in_stock, offered, _most_viewed(offered, shelves.views[offered], places))


def _most_viewed(offered: Ints, views: NDArray[np.float64], places: int) -> Ints:
    """Return the items with the most views; where two have as many, the one of the lower number."""
    least = np.partition(views, len(views) - places)[len(views) - places]
    chosen = np.flatnonzero(views >= least)
    chosen = chosen[np.argsort(-views[chosen], kind="stable")]
    return offered[chosen[:places]]


class Till:
    """A day's stock while it is sold: blocks come to it one after the other, each with all that it wants to pay for."""

    def __init__(self, shelves: Shelves) -> None:
        """Take what is there in the morning."""
        self._left = np.maximum(shelves.pieces, 0)

    def settle(self, item: Ints, quantity: Ints) -> NDArray[np.bool_]:
        """Sell what there is, first come, first served; a line is sold whole or not at all.

        Args:
            item: T items, in the order of their payment.
            quantity: T pieces.

        Returns:
            T booleans: the lines that are sold.
        """
        enough = np.ones(len(item), bool)
        wanted = np.bincount(item, quantity, len(self._left)).astype(np.int64)
        for scarce in np.flatnonzero(wanted > self._left).tolist():
            there = int(self._left[scarce])
            for line in np.flatnonzero(item == scarce).tolist():
                enough[line] = quantity[line] <= there
                there -= int(quantity[line]) * bool(enough[line])
        self._left -= np.bincount(item[enough], quantity[enough], len(self._left)).astype(np.int64)
        return enough

    def ask(self, _block: int, item: Ints, quantity: Ints) -> NDArray[np.bool_]:
        """Settle for a block that comes in its turn."""
        return self.settle(item, quantity)


def order_at_till(blocks: int, day: int) -> list[int]:
    """Return in which order the blocks of a world come to the till on a day: another one comes first each day."""
    return [(day + each) % blocks for each in range(blocks)]


def close_day(world: World, shelves: Shelves, day: int, *, sold: Ints, came_back: Ints, viewed: Ints) -> None:
    """Book a day: what was sold and came back, what is ordered, and what will be there in the morning.

    Args:
        world: The world.
        shelves: Changed.
        day: Its number.
        sold: N pieces.
        came_back: N pieces.
        viewed: N views.
    """
    if not world.is_memoryless:
        shelves.views = _FORGETS * shelves.views + viewed
    if not world.has_stock:
        return
    shelves.pieces += came_back - sold
    low = np.flatnonzero((shelves.pieces <= _REORDER_AT * shelves.full) & (shelves.due < 0))
    # Drawn for all items: when one is delivered does not depend on which others are ordered.
    lead_N = stream(world.seed, Purpose.DELIVERIES, day=day).integers(1, _LEAD_DAYS + 1, len(shelves.pieces))
    shelves.due[low] = day + lead_N[low]
    shelves.full = np.maximum(shelves.full, _SOLD_COVER_DAYS * sold)  # what lists make popular is ordered in plenty
    arrives = shelves.due == day + 1
    shelves.pieces[arrives] = np.maximum(shelves.full, shelves.pieces)[arrives]
    shelves.due[arrives] = -1
