"""What happens in the sessions: lists are shown, items are clicked, viewed, carted and bought.

All sessions take their next page together, so that the work is a few array operations a page.
Shapes: A sessions that still go on, E events, N items, L places of a list, W items of an event.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from endcap.simulation.catalogue import Range
from endcap.simulation.visits import Visits

__all__ = ["LISTS", "NAMES", "Log", "shop_along"]

NAMES = (
    "view_item_list",
    "select_item",
    "view_item",
    "quickview",
    "add_to_cart",
    "remove_from_cart",
    "begin_checkout",
    "purchase",
)
LISTS = ("Category", "Search Results", "Related Products")

_PLACES = 8
_PLANTED = 5.0  # how much a planted follower gains over an equally popular item, a logarithm
_EXAMINED = -0.55 * np.log(1 + np.arange(_PLACES))  # position bias: log probability that a place is looked at
_CART_LINES = 6
_BLOCK = 2_048  # sessions at a time, so that memory does not grow with the number of visitors

Int64 = NDArray[np.int64]


@dataclass
class Log:
    """Events in the order in which they were thought up.

    Args:
        session: Parts of E session numbers.
        at_us: Parts of E instants.
        name: Parts of E places in NAMES.
        list_name: Parts of E places in LISTS, -1 without a list.
        items: Parts of E x W item numbers, -1 where an event has fewer.
        quantity: Parts of E x W pieces, 0 where the event does not say.
    """

    session: list[Int64] = field(default_factory=list)
    at_us: list[Int64] = field(default_factory=list)
    name: list[Int64] = field(default_factory=list)
    list_name: list[Int64] = field(default_factory=list)
    items: list[Int64] = field(default_factory=list)
    quantity: list[Int64] = field(default_factory=list)

    def add(self, name: str, session: Int64, at_us: Int64, items: Int64, **known: Int64) -> None:
        """Add E events of one name; `known` may hold `list_name` and `quantity`."""
        items_EW = items if items.ndim == 2 else items[:, None]
        self.session.append(session)
        self.at_us.append(at_us)
        self.name.append(np.full(len(session), NAMES.index(name)))
        self.list_name.append(known.get("list_name", np.full(len(session), -1)))
        self.items.append(items_EW)
        self.quantity.append(known.get("quantity", np.zeros_like(items_EW)).reshape(items_EW.shape))


@dataclass
class _Carts:
    """The carts of all sessions: S x W item numbers (-1 where a line is free) and pieces."""

    items: Int64
    quantity: Int64


def shop_along(goods: Range, visits: Visits, rng: np.random.Generator) -> Log:
    """Let all visitors shop.

    Args:
        goods: The range.
        visits: The sessions.
        rng: The journeys' own stream.
    """
    log = Log()
    now_us, current = visits.start_us.copy(), np.full(len(visits.user), -1)
    carts = _Carts(np.full((len(now_us), _CART_LINES), -1), np.zeros((len(now_us), _CART_LINES), np.int64))
    for page in range(int(visits.pages.max())):
        going = np.flatnonzero(visits.pages > page)
        for first in range(0, len(going), _BLOCK):
            _turn_page(log, goods, visits, going[first : first + _BLOCK], (now_us, current, carts), rng)
    _check_out(log, now_us, carts, rng)
    return log


def _turn_page(
    log: Log,
    goods: Range,
    visits: Visits,
    going: Int64,
    state: tuple[Int64, Int64, _Carts],
    rng: np.random.Generator,
) -> None:
    """Show the sessions `going` a list, let them choose from it (or come to an item without one), and view it."""
    now_us, current, carts = state
    attraction_AN = _attraction(goods, visits.tastes[visits.user[going]], current[going])
    listed_AL, chosen = _choose(attraction_AN, rng)
    has_list = rng.random(len(going)) < 0.8
    wanted = (attraction_AN + rng.gumbel(size=attraction_AN.shape)).argmax(axis=1)
    is_related = (current[going] >= 0) & (rng.random(len(going)) < 0.6)
    list_name = np.where(is_related, LISTS.index("Related Products"), rng.integers(0, 2, len(going)))
    at_us = now_us[going]
    log.add("view_item_list", going[has_list], at_us[has_list], listed_AL[has_list], list_name=list_name[has_list])
    at_us = at_us + _seconds(rng, len(going), 8)
    goes_on = ~has_list | (rng.random(len(going)) < 0.6)
    is_click = has_list & goes_on
    item = np.where(has_list, chosen, wanted)
    log.add("select_item", going[is_click], at_us[is_click], item[is_click], list_name=list_name[is_click])
    viewing, item, at_us = going[goes_on], item[goes_on], at_us[goes_on] + 300_000
    _view(log, viewing, item, at_us, rng)
    current[viewing] = item
    now_us[viewing] = at_us
    _fill_cart(log, goods, viewing, (now_us, current, carts), rng)
    now_us[going] += _seconds(rng, len(going), 40)
    now_us[going] += np.where(
        rng.random(len(going)) < 0.01, 2_700_000_000, 0
    )  # a few leave the page open for 45 minutes


def _attraction(goods: Range, tastes_AC: NDArray[np.float64], current: Int64) -> NDArray[np.float64]:
    """Return the log weights with which visitors want items: popularity, taste, and what the item before leads to."""
    attraction_AN = goods.log_popularity[None, :] + tastes_AC[:, goods.category_of]
    has_current = np.flatnonzero(current >= 0)
    attraction_AN[has_current] += _PLANTED * goods.follows[current[has_current]]
    attraction_AN[has_current, current[has_current]] = -np.inf
    return attraction_AN


def _choose(attraction_AN: NDArray[np.float64], rng: np.random.Generator) -> tuple[Int64, Int64]:
    """Return A x L items that the shop lists (it guesses what is wanted) and the A items chosen from them."""
    guess_AN = 0.7 * attraction_AN + rng.gumbel(size=attraction_AN.shape)
    listed_AL = np.argsort(-guess_AN, axis=1, kind="stable")[:, :_PLACES]
    wish_AL = np.take_along_axis(attraction_AN, listed_AL, axis=1) + _EXAMINED
    place = (wish_AL + rng.gumbel(size=wish_AL.shape)).argmax(axis=1)
    return listed_AL, listed_AL[np.arange(len(place)), place]


def _view(log: Log, session: Int64, item: Int64, at_us: Int64, rng: np.random.Generator) -> None:
    """Log a view: mostly as view_item with a quickview twin within 2 s, sometimes as one of them alone."""
    luck = rng.random(len(session))
    is_view, has_twin = luck > 0.01, luck < 0.9
    log.add("view_item", session[is_view], at_us[is_view], item[is_view])
    twin_us = at_us + rng.integers(0, 1_500, len(session)) * 1_000
    log.add("quickview", session[has_twin], twin_us[has_twin], item[has_twin])


def _fill_cart(
    log: Log, goods: Range, viewing: Int64, state: tuple[Int64, Int64, _Carts], rng: np.random.Generator
) -> None:
    """Put viewed items into carts, cheap ones rather; some are taken out again."""
    now_us, current, carts = state
    p_cart = 0.3 / (1 + goods.price_minor / 5_000) * goods.in_stock
    num_lines = (carts.items[viewing] >= 0).sum(axis=1)
    is_new = (carts.items[viewing] != current[viewing][:, None]).all(axis=1) & (num_lines < _CART_LINES)
    takes = is_new & (rng.random(len(viewing)) < p_cart[current[viewing]])
    session, line = viewing[takes], num_lines[takes]
    now_us[session] += _seconds(rng, len(session), 20)
    pieces = 1 + (rng.random(len(session)) < 0.15) * rng.integers(1, 3, len(session))
    log.add("add_to_cart", session, now_us[session], current[session], quantity=pieces)
    back = rng.random(len(session)) < 0.08
    log.add(
        "remove_from_cart",
        session[back],
        now_us[session[back]] + 9_000_000,
        current[session[back]],
        quantity=pieces[back],
    )
    keeps = session[~back], line[~back]
    carts.items[keeps] = current[session[~back]]
    carts.quantity[keeps] = pieces[~back]
    now_us[session[back]] += 9_000_000


def _check_out(log: Log, now_us: Int64, carts: _Carts, rng: np.random.Generator) -> None:
    """Take the sessions with something in the cart to the till; half of them pay."""
    session = np.flatnonzero((carts.items >= 0).any(axis=1) & (rng.random(len(now_us)) < 0.75))
    log.add("begin_checkout", session, now_us[session], carts.items[session], quantity=carts.quantity[session])
    session = session[rng.random(len(session)) < 0.6]
    paid_us = now_us[session] + _seconds(rng, len(session), 90)
    log.add("purchase", session, paid_us, carts.items[session], quantity=carts.quantity[session])


def _seconds(rng: np.random.Generator, count: int, mean_s: float) -> Int64:
    """Draw `count` pauses of at least a second in microseconds, whole milliseconds."""
    return (1_000 + rng.exponential(mean_s * 1_000, count).astype(np.int64)) * 1_000
