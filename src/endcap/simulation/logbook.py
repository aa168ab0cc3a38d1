"""From journeys to the events that a shop's tracker logs, and the refunds that follow.

Shapes: S sessions, P pages, R lists, L places, T lines at the till, E events, B lines that come back.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endcap.core.clock import DAY_US
from endcap.simulation.ga4 import NAMES, Log
from endcap.simulation.journeys import Day, Journeys
from endcap.simulation.settings import World
from endcap.simulation.streams import Purpose, stream
from endcap.simulation.visitors import NEVER, Visitors, num_blocks

__all__ = [
    "LISTS_A_DAY",
    "Refunds",
    "first_number",
    "log_of",
    "no_refunds",
    "refund_log",
    "refunds_due",
    "refunds_of",
]

Ints = NDArray[np.int64]

LISTS_A_DAY = 10**8
"""Numbers of lists and of orders that one block has on one day."""


@dataclass(frozen=True)
class Refunds:
    """B paid lines that come back.

    Args:
        due: Numbers of the days on which they do.
        visitor: Places in the block.
        which: Devices with which they were bought.
        order: Order numbers.
        item: Item numbers.
        quantity: Pieces.
        unit_minor: Prices at which they were bought, minor units.
    """

    due: Ints
    visitor: Ints
    which: Ints
    order: Ints
    item: Ints
    quantity: Ints
    unit_minor: Ints

    def where(self, chosen: NDArray[np.bool_]) -> "Refunds":
        """Return some of the lines."""
        return Refunds(*(getattr(self, each.name)[chosen] for each in fields(self)))

    def and_also(self, others: "Refunds") -> "Refunds":
        """Return these lines and then others."""
        pairs = [(getattr(self, each.name), getattr(others, each.name)) for each in fields(self)]
        return Refunds(*(np.concatenate(pair) for pair in pairs))


def first_number(world: World, day: int, block: int) -> int:
    """Return the number of the first list, and of the first order, of a block's day."""
    return (day * num_blocks(world) + block) * LISTS_A_DAY


def log_of(made: Journeys, *, first: int) -> Log:
    """Return the events of a block's day, in order of time.

    Args:
        made: What visitors did.
        first: Number of the day's first list and order.
    """
    lines = made.lines
    till = _merged(lines.session, made.item[lines.page], lines.quantity)
    paid = _merged(*(each[lines.is_paid] for each in (lines.session, made.item[lines.page], lines.quantity)))
    item: list[NDArray[Any]] = [made.slates.ravel(), made.item, made.item, till[1], paid[1]]
    nothing = [np.zeros(made.slates.size), np.zeros(len(made.item))]
    quantity: list[NDArray[Any]] = [*nothing, made.quantity, till[2], paid[2]]
    pool = np.cumsum([0, *(len(each) for each in item)])
    at_us, name, session, page, start, count = _in_order(made, pool, till[0], paid[0])
    on_page, of = page >= 0, made.sessions
    visitor, number = of.visitor[session], np.where(on_page, made.number[page], NEVER - 1)
    is_from_list = on_page & (name <= NAMES.index("select_item"))
    return Log(
        at_us=at_us,
        name=name,
        cookie=made.people.cookie[visitor, of.which[session]],
        account=np.where(number >= of.login_page[session], made.people.account[visitor], -1),
        session_us=of.start_us[session],
        country=made.people.country[visitor],
        device=made.people.device[visitor, of.which[session]],
        traffic=made.people.traffic[visitor, of.which[session]],
        allows_ads=made.people.allows_ads[visitor],
        list_number=np.where(is_from_list, first + made.row[page], -1),
        is_related=is_from_list & (made.before[page] >= 0),
        place=np.where(name == NAMES.index("select_item"), made.place[page], 0),
        order=np.where(name == NAMES.index("purchase"), first + session, -1),
        start=start,
        count=count,
        item=np.concatenate(item).astype(np.int32),
        quantity=np.concatenate(quantity).astype(np.int32),
    )


def _merged(session: Ints, item: Ints, quantity: Ints) -> tuple[Ints, Ints, Ints]:
    """Make one line of what a session put into its cart several times; lines stay in the order of the first times."""
    keys = np.stack([session, item])
    _, first, which = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    pieces = np.bincount(which, quantity, len(first)).astype(np.int64)
    order = np.argsort(first)
    return session[first[order]], item[first[order]], pieces[order]


def _in_order(made: Journeys, pool: Ints, till: Ints, paid: Ints) -> list[Ints]:
    """Return E instants, names, sessions, pages (-1: none), first places in the pool and numbers of items.

    Args:
        made: What visitors did.
        pool: Where slates, views, carts, lines at the till and lines paid begin among all items.
        till: Sessions of the lines at the till.
        paid: Sessions of the lines paid.
    """
    places = made.slates.shape[1]
    clicked, carted = np.flatnonzero(made.place >= 0), np.flatnonzero(made.is_carted)
    listed, viewed = np.flatnonzero(made.is_list), np.flatnonzero(made.item >= 0)
    removed = np.flatnonzero(made.is_removed)
    sizes = (made.slates >= 0).sum(axis=1)
    parts = [
        _on_pages(made, "view_item_list", listed, made.at_us, made.row[listed] * places, sizes[made.row[listed]]),
        _on_pages(made, "select_item", clicked, made.view_us - 300_000, pool[1] + clicked),
        _on_pages(made, "view_item", viewed, made.view_us, pool[1] + viewed),
        _on_pages(made, "add_to_cart", carted, made.cart_us, pool[2] + carted),
        _on_pages(made, "remove_from_cart", removed, made.removed_us, pool[2] + removed),
        _of_sessions("begin_checkout", till, made.till_us, pool[3]),
        _of_sessions("purchase", paid, made.paid_us, pool[4]),
    ]
    columns = [np.concatenate(each) for each in zip(*parts, strict=True)]
    by_time = np.argsort(columns[0], kind="stable")
    return [each[by_time] for each in columns]


def _on_pages(
    made: Journeys, name: str, page: Ints, at_us: Ints, start: Ints, count: Ints | None = None
) -> tuple[Ints, ...]:
    one = np.ones(len(page), np.int64)
    return at_us[page], one * NAMES.index(name), made.session[page], page, start, one if count is None else count


def _of_sessions(name: str, session: Ints, at_us: Ints, first: int) -> tuple[Ints, ...]:
    """Return one event for each run of lines of the same session; `first` is where the lines begin in the pool."""
    starts = np.flatnonzero(np.diff(session, prepend=-1))
    of, count = session[starts], np.diff(starts, append=len(session))
    return at_us[of], np.full(len(of), NAMES.index(name)), of, np.full(len(of), -1), first + starts, count


def no_refunds() -> Refunds:
    """Return no lines."""
    return Refunds(*(np.zeros(0, np.int64) for _ in fields(Refunds)))


def refunds_of(made: Journeys, day: Day, *, first: int) -> Refunds:
    """Return the lines of a block's day that will come back, each within two weeks."""
    lines = made.lines
    back = np.flatnonzero(lines.comes_back)
    session, item = lines.session[back], made.item[lines.page[back]]
    return Refunds(
        due=day.number + lines.back_after[back],
        visitor=made.sessions.visitor[session],
        which=made.sessions.which[session],
        order=first + session,
        item=item,
        quantity=lines.quantity[back],
        unit_minor=day.laws.price_minor[item],
    )


def refunds_due(pending: Refunds, day: int) -> tuple[Refunds, Refunds]:
    """Return what comes back on a day and what is pending still."""
    return pending.where(pending.due == day), pending.where(pending.due != day)


def refund_log(world: World, people: Visitors, due: Refunds, day: int, *, day_start_us: int) -> Log:
    """Return the refunds of a day as events of their own short sessions, in order of time."""
    rng = stream(world.seed, Purpose.REFUNDS, day=day, block=people.block + num_blocks(world))
    at_us = day_start_us + np.sort(rng.integers(8 * 3_600_000, DAY_US // 1_000, len(due.due))) * 1_000
    nothing = np.full(len(at_us), -1)
    return Log(
        at_us=at_us,
        name=np.full(len(at_us), NAMES.index("refund")),
        cookie=people.cookie[due.visitor, due.which],
        account=people.account[due.visitor],
        session_us=at_us,
        country=people.country[due.visitor],
        device=people.device[due.visitor, due.which],
        traffic=people.traffic[due.visitor, due.which],
        allows_ads=people.allows_ads[due.visitor],
        list_number=nothing,
        is_related=nothing > 0,
        place=np.zeros(len(at_us), np.int64),
        order=due.order,
        start=np.arange(len(at_us)),
        count=np.ones(len(at_us), np.int64),
        item=due.item.astype(np.int32),
        quantity=due.quantity.astype(np.int32),
        unit_minor=due.unit_minor,
    )
