"""A world lived through in memory, block by block and day by day, with nothing written: to count in, and to look at."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.simulation.block import Block, DayOfBlock, LawsOfWeeks
from endcap.simulation.catalogue import make_catalogue
from endcap.simulation.journeys import Day
from endcap.simulation.policies import Policy
from endcap.simulation.settings import World
from endcap.simulation.stock import Shelves, Till, close_day, first_shelves, open_day, order_at_till
from endcap.simulation.tastes import make_tastes
from endcap.simulation.visitors import num_blocks

__all__ = ["BlocksDay", "live"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class BlocksDay:
    """What one block lived through.

    Args:
        block: The block, in the state of the evening.
        day: What it found in the morning.
        pieces: N pieces in stock in the morning.
        bought: U items that its visitors had bought last in the morning.
        lived: The day.
    """

    block: Block
    day: Day
    pieces: Ints
    bought: Ints
    lived: DayOfBlock


def live(world: World, policy: Policy, *, first: Callable[[Shelves], None] = lambda _: None) -> Iterator[BlocksDay]:
    """Live through a world: every block of every day, blocks in the order in which they come to the till.

    Args:
        world: The world.
        policy: Fills the lists.
        first: Changes the shelves before the first day.
    """
    goods = make_catalogue(world)
    tastes = make_tastes(world, goods)
    laws = LawsOfWeeks(world, goods, tastes)
    shelves = first_shelves(world, tastes, laws.of_day(0))
    first(shelves)
    blocks = [Block(world, goods, tastes, number, policy) for number in range(num_blocks(world))]
    for number in range(world.days):
        day, till = open_day(world, laws.of_day(number), shelves, number), Till(shelves)
        pieces, booked = shelves.pieces.copy(), np.zeros((3, world.items), np.int64)
        for turn in order_at_till(len(blocks), number):
            bought = blocks[turn].state.bought.copy()
            lived = blocks[turn].live(day, till.settle if world.has_stock else None)
            booked += [lived.sold(world.items), lived.came_back(world.items), lived.viewed(world.items)]
            yield BlocksDay(blocks[turn], day, pieces, bought, lived)
        close_day(world, shelves, number, sold=booked[0], came_back=booked[1], viewed=booked[2])
