"""What a block's visitors do on one day: page after page, by the laws of their tastes.

A page is a list that the policy fills, or an item. Of a list the eye falls on one place (or none); what stands there is
clicked with the probability that the laws give it: the expected outcome of a list is a sum over its places, exactly.

Shapes: S sessions, P pages (the first page of all sessions, then the second of those that have one, ...), R lists,
L places, T lines at the till.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.core.errors import Code, UsageError
from endcap.simulation.luck import PageLuck, TillLuck, page_luck, till_luck, turned
from endcap.simulation.policies import Asked, Policy, Popular, Random, Slates
from endcap.simulation.settings import World
from endcap.simulation.streams import Purpose, stream
from endcap.simulation.tastes import Laws, pull
from endcap.simulation.visitors import Arrivals, Sessions, State, Visitors

__all__ = ["Day", "Journeys", "Lines", "Settle", "journeys"]

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

Settle = Callable[[Ints, Ints], Bools]
"""Says for which order lines the stock suffices, from their items and pieces in the order of payment."""

_REMOVED_AFTER_US = 5_000_000  # or half the pause before the next page


@dataclass(frozen=True)
class Day:
    """What is the same for all blocks of a day.

    Args:
        number: Of the day, from 0.
        laws: Of its week.
        in_stock: N booleans, at the day's start.
        offered: Numbers of the items that are sold and in stock, ascending.
        popular: Those of them viewed most often on earlier days, at most L, the first first.
    """

    number: int
    laws: Laws
    in_stock: Bools
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
        back_after: After how many days it is.
    """

    page: Ints
    session: Ints
    quantity: Ints
    is_paid: Bools
    is_refused: Bools
    comes_back: Bools
    back_after: Ints


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


def journeys(  # noqa: PLR0913 - the world, its day, who lives in it and who fills the lists
    world: World,
    day: Day,
    people: Visitors,
    state: State,
    arrivals: Arrivals,
    *,
    policy: Policy,
    settle: Settle | None,
) -> Journeys:
    """Let the visitors of a block go through their sessions of a day, and change their state by it.

    Args:
        world: The world.
        day: What is the same for all.
        people: The block's visitors.
        state: Their state in the morning; in the evening's when this returns.
        arrivals: Who may come and who does.
        policy: Fills the lists.
        settle: Asked once, for the lines that are to be paid; None where stock does not matter.
    """
    sessions, pages, at = arrivals.may.where(arrivals.come), turned(arrivals), (day.number, people.block)
    taste, bought = state.taste[sessions.visitor], state.bought[sessions.visitor]
    luck = page_luck(world, day.laws, at, taste, bought, pages)
    walk = _Walk(world, day, people, sessions, policy, taste, pages.counts, luck)
    walk.go()
    paying = till_luck(world, at, pages)
    till_us = walk.now_us + paying.pause_us
    paid_us = till_us + 60_000_000
    lines = _lines(walk, paying, pages.session, paid_us, settle)
    made = Journeys(
        people=people,
        sessions=sessions,
        session=pages.session,
        number=np.repeat(np.arange(len(pages.counts)), pages.counts),
        at_us=walk.at_us,
        is_list=luck.is_list,
        before=walk.before,
        bought=bought[pages.session],
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
    luck: PageLuck

    def __post_init__(self) -> None:
        """Nobody has looked at anything yet."""
        self.rng = stream(self.world.seed, Purpose.POLICY, day=self.day.number, block=self.people.block)
        self.places = min(self.world.places, len(self.day.offered))
        self.now_us, self.current = self.sessions.start_us.copy(), np.full(len(self.taste), -1)
        pages = len(self.luck.eye)
        self.at_us, self.view_us, self.cart_us = np.zeros((3, pages), np.int64)
        self.before, self.place, self.item, self.row = np.full((4, pages), -1)
        self.is_carted = np.zeros(pages, bool)
        self.may_show = np.zeros(len(self.day.laws.is_sold) + 1, bool)
        self.may_show[self.day.offered] = self.may_show[-1] = True  # -1 is an empty place
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
        is_ours = isinstance(self.policy, Popular | Random)  # they list what is offered: a look costs a tenth
        if not is_ours and not self.may_show[slates.items].all():
            raise self._unoffered(slates)
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

    def _unoffered(self, slates: Slates) -> UsageError:
        wrong = slates.items[~self.may_show[slates.items]]
        return UsageError(
            f"the policy lists {len(wrong)} items not offered on day {self.day.number}, such as number {wrong[0]}",
            where=f"policy {self.policy.name}",
            fix="list numbers of Asked.offered, each once, and -1 at the end of a list that is shorter",
            code=Code.USAGE,
        )

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


def _lines(walk: _Walk, paying: TillLuck, session: Ints, paid_us: Ints, settle: Settle | None) -> Lines:
    """Take the carts to the till; an order line is paid while the stock lasts."""
    page = np.flatnonzero(walk.is_carted & ~walk.luck.is_removed)
    page = page[paying.goes[session[page]]]
    page = page[np.lexsort((page, session[page], paid_us[session[page]]))]
    of, quantity = session[page], walk.luck.quantity[page]
    wants = paying.pays[of]
    is_paid = wants.copy()
    if settle is not None:
        is_paid[wants] = settle(walk.item[page[wants]], quantity[wants])
    comes_back = paying.comes_back[page] & is_paid
    return Lines(page, of, quantity, is_paid, wants & ~is_paid, comes_back, paying.back_after[page])


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
