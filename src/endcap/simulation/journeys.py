"""What a block's visitors do on one day: page after page, by the laws of their tastes.

A page is a list that the policy fills, or an item. Of a list the eye falls on one place (or none); what stands there is
clicked with the probability that the laws give it: the expected outcome of a list is a sum over its places, exactly.

Shapes: S sessions, P pages (the first page of all sessions, then the second of those that have one, ...), R lists,
L places, T lines at the till.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.simulation.catalogue import STRENGTHS
from endcap.simulation.policies import Asked, Policy, Slates
from endcap.simulation.settings import World
from endcap.simulation.streams import Purpose, stream
from endcap.simulation.tastes import Laws, pull
from endcap.simulation.visitors import Sessions, State, Visitors

__all__ = ["Day", "Journeys", "Lines", "journeys"]

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_STEPS = np.cumsum(STRENGTHS)[:-1]
_PAUSE_S = (14.0, 1.2)  # median and sigma of the log-normal pauses between events
_BOT_PAUSE_S = 1.0
_AWAY = (0.002, 45 * 60)  # share of pages that are left open, and for how many seconds
_MORE_PIECES = 0.12
_REMOVED_AFTER_US = 5_000_000  # or half the pause before the next page


@dataclass(frozen=True)
class Day:
    """What is the same for all blocks of a day.

    Args:
        number: Of the day, from 0.
        laws: Of its week.
        in_stock: N booleans, at the day's start.
        left: N pieces that this block may sell, or None where stock does not matter.
        offered: Numbers of the items that are sold and in stock, ascending.
        popular: Those of them viewed most often on earlier days, at most L, the first first.
    """

    number: int
    laws: Laws
    in_stock: Bools
    left: Ints | None
    offered: Ints
    popular: Ints


@dataclass(frozen=True)
class Lines:
    """T cart lines of the sessions that went to the till.

    Args:
        page: The page on which each was put into the cart.
        session: Its session.
        quantity: Pieces, at least 1.
        is_paid: The order was paid and the stock sufficed.
        is_refused: The order was paid, but without this line: it had sold out.
        comes_back: It is returned within two weeks.
    """

    page: Ints
    session: Ints
    quantity: Ints
    is_paid: Bools
    is_refused: Bools
    comes_back: Bools


@dataclass(frozen=True)
class Journeys:
    """A block's day.

    Args:
        people: The block's visitors.
        sessions: The day's sessions.
        session: P numbers of sessions.
        number: P numbers of the page within its session, from 0.
        at_us: P instants at which the page is opened.
        is_list: P booleans.
        before: P items viewed last, -1 for none.
        bought: P items that the visitor had bought last when the session began, -1 for none.
        place: P places clicked, from 0; -1 where no list was clicked.
        item: P items viewed, -1 for a list that was not clicked.
        view_us: P instants of the view.
        is_carted: P booleans.
        quantity: P pieces put into the cart.
        cart_us: P instants of the cart.
        is_removed: P booleans: taken out again.
        removed_us: P instants of that, before the next page.
        row: P rows of `slates`, -1 for item pages.
        slates: R x L item numbers.
        propensity: R x L probabilities.
        till_us: S instants at which the session is at the till.
        paid_us: S instants of the payment.
        lines: What was at the till.
        taste: S numbers of tastes.
    """

    people: Visitors
    sessions: Sessions
    session: Ints
    number: Ints
    at_us: Ints
    is_list: Bools
    before: Ints
    bought: Ints
    place: Ints
    item: Ints
    view_us: Ints
    is_carted: Bools
    quantity: Ints
    cart_us: Ints
    is_removed: Bools
    removed_us: Ints
    row: Ints
    slates: NDArray[np.int32]
    propensity: NDArray[np.float32]
    till_us: Ints
    paid_us: Ints
    lines: Lines
    taste: Ints


@dataclass(frozen=True)
class _Luck:
    """What is drawn for P pages before anybody moves: the same under every policy.

    Args:
        is_list: P booleans.
        eye: P places that the eye falls on, beyond the list for none.
        click: P numbers in [0, 1).
        follows: P booleans.
        step: P numbers of complements.
        alone: P items that the visitor comes to by himself, -1 for lists.
        cart: P numbers in [0, 1).
        is_removed: P booleans.
        quantity: P pieces.
        pause_us: 2 x P pauses: before a click or a cart, before the next page.
    """

    is_list: Bools
    eye: Ints
    click: Floats
    follows: Bools
    step: Ints
    alone: Ints
    cart: Floats
    is_removed: Bools
    quantity: Ints
    pause_us: Ints


def journeys(world: World, day: Day, people: Visitors, state: State, sessions: Sessions, policy: Policy) -> Journeys:
    """Let the visitors of a block go through their sessions of a day, and change their state by it.

    Args:
        world: The world.
        day: What is the same for all.
        people: The block's visitors.
        state: Their state in the morning; in the evening's when this returns.
        sessions: Those of the day.
        policy: Fills the lists.
    """
    taste = state.taste[sessions.visitor]
    bought = state.bought[sessions.visitor]
    counts = np.bincount(sessions.pages - 1, minlength=1)[::-1].cumsum()[::-1] if len(taste) else np.zeros(0, np.int64)
    session = np.concatenate([np.arange(count) for count in counts.tolist()] or [np.zeros(0, np.int64)])
    luck = _luck(world, day, people.block, taste, bought, session)
    walk = _Walk(world, day, people, sessions, policy, taste, counts, luck)
    walk.go()
    lines, till_us, paid_us = _till(world, day, people.block, walk, session)
    made = Journeys(
        people=people,
        sessions=sessions,
        session=session,
        number=np.repeat(np.arange(len(counts)), counts),
        at_us=walk.at_us,
        is_list=luck.is_list,
        before=walk.before,
        bought=bought[session],
        place=walk.place,
        item=walk.item,
        view_us=walk.view_us,
        is_carted=walk.is_carted,
        quantity=luck.quantity,
        cart_us=walk.cart_us,
        is_removed=luck.is_removed & walk.is_carted,
        removed_us=walk.cart_us + np.minimum(_REMOVED_AFTER_US, luck.pause_us[1] // 2_000 * 1_000),
        row=walk.row,
        slates=np.concatenate([each.items for each in walk.shown] or [np.zeros((0, world.places), np.int32)]),
        propensity=np.concatenate(
            [each.propensity for each in walk.shown] or [np.zeros((0, world.places), np.float32)]
        ),
        till_us=till_us,
        paid_us=paid_us,
        lines=lines,
        taste=taste,
    )
    _feel(world, made, state)
    return made


def _luck(world: World, day: Day, block: int, taste: Ints, bought: Ints, session: Ints) -> _Luck:
    rng = stream(world.seed, Purpose.JOURNEYS, day=day.number, block=block)
    pages = len(session)
    is_first = np.arange(pages) < len(taste)
    kind, eye, click, follow, cart, gone, more = rng.random((7, pages), np.float32)
    is_bot = taste[session] == world.tastes
    is_list = (kind < np.where(is_first, 1 - world.p_land_on_item, world.p_list)) & ~is_bot
    step = np.searchsorted(_STEPS, follow / max(world.p_follow, 1e-9), side="right")
    return _Luck(
        is_list=is_list,
        eye=_eyes(world, eye, is_list),
        click=click,
        follows=(follow < world.p_follow) & ~is_first & ~is_list,
        step=np.minimum(step, len(STRENGTHS) - 1),
        alone=_alone(world, day.laws, taste[session], np.where(is_first, bought[session], -1), is_list, rng),
        cart=cart,
        is_removed=gone < world.p_remove,
        quantity=1 + (more < _MORE_PIECES) * (1 + (more * (2 / _MORE_PIECES)).astype(np.int64)),
        pause_us=_pauses(pages, is_bot, rng),
    )


def _eyes(world: World, luck: NDArray[np.float32], is_list: Bools) -> Ints:
    """Return the places that the eye falls on; `places` where it falls on none, and on item pages."""
    eye = np.full(len(luck), world.places)
    lists = np.flatnonzero(is_list)
    eye[lists] = np.searchsorted(np.cumsum(world.attention).astype(np.float32), luck[lists], side="right")
    return eye


def _alone(world: World, laws: Laws, taste: Ints, bought: Ints, is_list: Bools, rng: np.random.Generator) -> Ints:
    """Draw the items that visitors come to by themselves; `bought` is what a landing may go back to."""
    item = np.full(len(taste), -1)
    luck, again = rng.random(len(taste)), rng.random(len(taste), np.float32)
    own = np.flatnonzero(~is_list)
    # In ascending order within each taste: searching 235,000 items in random order took five times as long.
    own = own[np.argsort(taste[own] + luck[own])]
    bounds = np.searchsorted(taste[own], np.arange(world.tastes + 2))
    last = int(np.flatnonzero(laws.is_sold)[-1])
    for number in range(world.tastes + 1):
        which = own[bounds[number] : bounds[number + 1]]
        ends = laws.ends_KN[number]
        item[which] = np.minimum(np.searchsorted(ends, luck[which] * ends[-1], side="right"), last)
    returns = ~is_list & (bought >= 0) & (again < world.p_repeat)
    returns &= laws.is_sold[bought]
    item[returns] = bought[returns]
    return item


def _pauses(pages: int, is_bot: Bools, rng: np.random.Generator) -> Ints:
    """Draw two pauses a page in whole milliseconds, as microseconds."""
    median_s, sigma = _PAUSE_S
    pause_s = np.exp(np.float32(np.log(median_s)) + np.float32(sigma) * rng.standard_normal((2, pages), np.float32))
    pause_s[:, is_bot] = _BOT_PAUSE_S
    away = rng.random(pages, np.float32) < _AWAY[0]
    pause_s[1, away & ~is_bot] += _AWAY[1]
    pause_us: Ints = (pause_s * 1_000).astype(np.int64) * 1_000 + 1_000
    return pause_us


@dataclass
class _Walk:
    """All sessions of a block's day, side by side, page after page; what is drawn is drawn already.

    Args:
        taste: S numbers of tastes.
        counts: How many sessions have a first page, a second one, ...
    """

    world: World
    day: Day
    people: Visitors
    sessions: Sessions
    policy: Policy
    taste: Ints
    counts: Ints
    luck: _Luck

    def __post_init__(self) -> None:
        """Nobody has looked at anything yet."""
        self.rng = stream(self.world.seed, Purpose.POLICY, day=self.day.number, block=self.people.block)
        self.places = min(self.world.places, len(self.day.offered))
        self.now_us, self.current = self.sessions.start_us.copy(), np.full(len(self.taste), -1)
        pages = len(self.luck.eye)
        self.at_us, self.view_us, self.cart_us = np.zeros((3, pages), np.int64)
        self.before, self.place, self.item, self.row = np.full((4, pages), -1)
        self.is_carted = np.zeros(pages, bool)
        self.shown: list[Slates] = []
        self.num_shown = 0

    def go(self) -> None:
        """Turn all pages."""
        first = 0
        for number, count in enumerate(self.counts.tolist()):
            self._page(number, slice(first, first + count), count)
            first += count

    def _page(self, number: int, at: slice, count: int) -> None:
        """Turn page `number` of the sessions that have one; they are the first `count`, their pages are `at`."""
        luck, laws = self.luck, self.day.laws
        before, now_us = self.current[:count], self.now_us[:count]
        self.before[at], self.at_us[at] = before, now_us
        item = luck.alone[at].copy()
        follows = np.flatnonzero(luck.follows[at] & (before >= 0))
        near = laws.complements[before[follows], luck.step[at][follows]]
        is_sold = laws.is_sold[near]
        item[follows[is_sold]] = near[is_sold]
        lists = np.flatnonzero(luck.is_list[at])
        if len(lists):
            self._show(number, at, lists, item)
        viewed = item >= 0
        pause = luck.pause_us[:, at]
        view_us = now_us + 300_000 + pause[0] * luck.is_list[at]
        p_cart = laws.cart_KN[self.taste[:count], item] * (viewed & self.day.in_stock[item])
        carted = luck.cart[at] < p_cart
        self.item[at], self.view_us[at], self.is_carted[at] = item, view_us, carted
        self.cart_us[at] = view_us + pause[0]
        self.current[:count] = np.where(viewed, item, before)
        self.now_us[:count] += pause[1] + viewed * (300_000 + pause[0] * luck.is_list[at]) + carted * pause[0]

    def _show(self, number: int, at: slice, lists: Ints, item: Ints) -> None:
        """Have the policy fill the lists of a page, and see what is clicked; `item` gets what is."""
        before, laws = self.current[lists], self.day.laws
        slates = self.policy.choose(self._asked(number, lists, before), self.rng)
        eye = self.luck.eye[at][lists]
        looked = np.flatnonzero(eye < slates.items.shape[1])
        seen = slates.items[looked, eye[looked]].astype(np.int64)
        near = pull(laws.complements, before[looked], seen[:, None])[:, 0]
        p_click = laws.attraction_KN[self.taste[lists[looked]], seen] + laws.pull_strength * near
        clicked = looked[(self.luck.click[at][lists[looked]] < p_click) & (seen >= 0)]
        item[lists[clicked]] = slates.items[clicked, eye[clicked]]
        self.place[at.start + lists[clicked]] = eye[clicked]
        self.row[at.start + lists] = self.num_shown + np.arange(len(lists))
        self.shown.append(slates)
        self.num_shown += len(lists)

    def _asked(self, number: int, lists: Ints, before: Ints) -> Asked:
        visitor = self.sessions.visitor[lists]
        return Asked(
            day=self.day.number,
            page=number,
            visitor=self.people.first + visitor,
            cookie=self.people.cookie[visitor, self.sessions.which[lists]],
            session_us=self.sessions.start_us[lists],
            at_us=self.now_us[lists],
            before=before,
            offered=self.day.offered,
            popular=self.day.popular,
            places=self.places,
        )


def _till(world: World, day: Day, block: int, walk: _Walk, session: Ints) -> tuple[Lines, Ints, Ints]:
    """Take the carts to the till; an order line is paid while the stock lasts."""
    rng = stream(world.seed, Purpose.TILL, day=day.number, block=block)
    goes, pays = rng.random((2, len(walk.taste)), np.float32)
    comes_back = rng.random(len(session), np.float32) < world.p_return
    till_us = walk.now_us + _pauses(len(walk.taste), np.zeros(len(walk.taste), bool), rng)[0]
    paid_us = till_us + 60_000_000
    page = np.flatnonzero(walk.is_carted & ~walk.luck.is_removed)
    page = page[goes[session[page]] < world.p_checkout]
    page = page[np.lexsort((page, session[page], paid_us[session[page]]))]
    of, quantity = session[page], walk.luck.quantity[page]
    wants = is_paid = pays[of] < world.p_pay
    if day.left is not None:
        is_paid = wants & _while_it_lasts(walk.item[page], np.where(wants, quantity, 0), day.left)
    return Lines(page, of, quantity, is_paid, wants & ~is_paid, comes_back[page] & is_paid), till_us, paid_us


def _while_it_lasts(item: Ints, quantity: Ints, left: Ints) -> Bools:
    """Return which lines the stock suffices for, first come, first served; lines in the order of their payment."""
    enough = np.ones(len(item), bool)
    wanted = np.bincount(item, quantity, len(left)).astype(np.int64)
    for scarce in np.flatnonzero(wanted > left).tolist():
        there = int(left[scarce])
        for line in np.flatnonzero(item == scarce).tolist():
            enough[line] = quantity[line] <= there
            there -= int(quantity[line]) * bool(enough[line])
    return enough


def _feel(world: World, made: Journeys, state: State) -> None:
    """Change what visitors think of the lists and what they bought last.

    A list that is clicked pleases, one that is not bores a little: only what was seen to happen counts, so that coming
    back tells nothing more about a taste than the log does.
    """
    paid = np.flatnonzero(made.lines.is_paid)
    state.bought[made.sessions.visitor[made.lines.session[paid]]] = made.item[made.lines.page[paid]]
    if not world.later_visits:
        return
    listed = np.flatnonzero(made.is_list)
    felt = np.where(made.place[listed] >= 0, 0.4, -0.05)
    who, back = np.unique(made.sessions.visitor[made.session[listed]], return_inverse=True)
    state.pleased[who] = np.clip(0.7 * state.pleased[who] + np.bincount(back, felt, len(who)), -1, 1)
    state.rate[who] = made.people.activity[who] / world.days * np.exp(world.later_visits * state.pleased[who])
