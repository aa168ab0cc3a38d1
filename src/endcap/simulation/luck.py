"""What is drawn for a block's day before anybody moves: the same whatever lists are shown on it and were before it.

It is drawn for all sessions that there may be, and taken for those that take place: which of them do depends on lists.

Shapes: S sessions, P pages (the first page of all sessions, then the second of those that have one, ...).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endcap.simulation.catalogue import STRENGTHS
from endcap.simulation.settings import World
from endcap.simulation.streams import Purpose, stream
from endcap.simulation.tastes import Laws
from endcap.simulation.visitors import Arrivals

__all__ = ["BACK_WITHIN_DAYS", "PageLuck", "TillLuck", "Turned", "page_luck", "till_luck", "turned"]

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Singles = NDArray[np.float32]

_STEPS = np.cumsum(STRENGTHS)[:-1]
_PAUSE_S = (14.0, 1.2)  # median and sigma of the log-normal pauses between events
_BOT_PAUSE_S = 1.0
_AWAY = (0.002, 45 * 60)  # share of pages that are left open, and for how many seconds
_MORE_PIECES = 0.12

BACK_WITHIN_DAYS = 14
"""What is returned is returned within so many days."""


@dataclass(frozen=True)
class Turned:
    """The pages that are turned among those that there may be.

    Args:
        session: P numbers of sessions.
        counts: How many sessions have a first page, a second one, ...
        come: Which of the sessions that there may be take place.
        is_turned: Which of the pages that there may be are of these.
    """

    session: Ints
    counts: Ints
    come: Bools
    is_turned: Bools

    def of_sessions(self, drawn: NDArray[Any]) -> NDArray[Any]:
        """Take what is drawn for sessions, along the last axis, where they take place."""
        return drawn if self.come.all() else drawn.compress(self.come, axis=-1)

    def of_pages(self, drawn: NDArray[Any]) -> NDArray[Any]:
        """Take what is drawn for pages, along the last axis, where they are turned."""
        return drawn if self.come.all() else drawn.compress(self.is_turned, axis=-1)  # thrice as fast as by []


@dataclass(frozen=True)
class PageLuck:
    """What is drawn for P pages.

    Args:
        is_list: P booleans.
        eye: P places that the eye falls on, beyond the list for none.
        click: P numbers in [0, 1).
        follows: P booleans: goes to what goes with the item before, if there is one.
        step: P numbers of complements.
        alone: P items that the visitor comes to by himself, -1 for lists.
        cart: P numbers in [0, 1).
        is_removed: P booleans.
        quantity: P pieces.
        pause_us: 2 x P pauses: before a click or a cart, before the next page.
    """

    is_list: Bools
    eye: Ints
    click: Singles
    follows: Bools
    step: Ints
    alone: Ints
    cart: Singles
    is_removed: Bools
    quantity: Ints
    pause_us: Ints


@dataclass(frozen=True)
class TillLuck:
    """What is drawn for S sessions and P pages when it comes to paying.

    Args:
        goes: S booleans: takes its cart to the till.
        pays: S booleans.
        comes_back: P booleans: what is put into the cart there is returned once it is paid.
        back_after: P days after which it is, 1..BACK_WITHIN_DAYS.
        pause_us: S pauses before the till.
    """

    goes: Bools
    pays: Bools
    comes_back: Bools
    back_after: Ints
    pause_us: Ints


def turned(arrivals: Arrivals) -> Turned:
    """Return the pages of a day; sessions with most pages stand first."""
    of_may, _ = _page_major(arrivals.may.pages)
    session, counts = _page_major(arrivals.may.pages[arrivals.come])
    return Turned(session, counts, arrivals.come, arrivals.come[of_may])


def _page_major(pages: Ints) -> tuple[Ints, Ints]:
    """Return each page's session, all first pages first, and how many have a first page, a second one, ..."""
    counts = np.bincount(pages - 1, minlength=1)[::-1].cumsum()[::-1] if len(pages) else np.zeros(0, np.int64)
    return np.concatenate([np.arange(count) for count in counts.tolist()] or [np.zeros(0, np.int64)]), counts


def page_luck(world: World, laws: Laws, at: tuple[int, int], taste: Ints, bought: Ints, pages: Turned) -> PageLuck:
    """Draw the luck of pages.

    Args:
        world: The world.
        laws: Of the week.
        at: Numbers of the day and the block.
        taste: S tastes.
        bought: S items that a landing may go back to, -1 for none.
        pages: Those of the day.
    """
    rng = stream(world.seed, Purpose.JOURNEYS, day=at[0], block=at[1])
    may = len(pages.is_turned)
    kind, eye, click, follow, cart, gone, more, again = pages.of_pages(rng.random((8, may), np.float32))
    is_first = np.arange(len(pages.session)) < len(taste)
    taste_P = taste[pages.session]
    is_bot = taste_P == world.tastes
    is_list = (kind < np.where(is_first, 1 - world.p_land_on_item, world.p_list)) & ~is_bot
    alone = _alone(laws, taste_P, ~is_list, pages.of_pages(rng.random(may)))
    back = np.where(is_first & ~is_list & (again < world.p_repeat), bought[pages.session], -1)
    noise, away = rng.standard_normal((2, may), np.float32), rng.random(may, np.float32)
    step = sum((follow >= np.float32(world.p_follow * end)).astype(np.int64) for end in _STEPS)
    return PageLuck(
        is_list=is_list,
        eye=_eyes(world, eye, is_list),
        click=click,
        follows=(follow < world.p_follow) & ~is_first & ~is_list & ~is_bot,
        step=step,
        alone=np.where((back >= 0) & laws.is_sold[back], back, alone),
        cart=cart,
        is_removed=gone < world.p_remove,
        quantity=1 + (more < _MORE_PIECES) * (1 + (more * (2 / _MORE_PIECES)).astype(np.int64)),
        pause_us=_pauses(pages.of_pages(noise), pages.of_pages(away), is_bot),
    )


def till_luck(world: World, at: tuple[int, int], pages: Turned) -> TillLuck:
    """Draw the luck of paying; for `at` see `page_luck`."""
    rng = stream(world.seed, Purpose.TILL, day=at[0], block=at[1])
    goes, pays = pages.of_sessions(rng.random((2, len(pages.come)), np.float32))
    comes_back = pages.of_pages(rng.random(len(pages.is_turned), np.float32))
    noise = pages.of_sessions(rng.standard_normal(len(pages.come), np.float32))
    return TillLuck(
        goes=goes < world.p_checkout,
        pays=pays < world.p_pay,
        comes_back=comes_back < world.p_return,
        back_after=pages.of_pages(rng.integers(1, BACK_WITHIN_DAYS + 1, len(pages.is_turned))),
        pause_us=_whole_us(_log_normal_s(noise)),
    )


def _eyes(world: World, luck: Singles, is_list: Bools) -> Ints:
    """Return the places that the eye falls on; `places` where it falls on none, and on item pages."""
    eye = np.full(len(luck), world.places)
    lists = np.flatnonzero(is_list)
    eye[lists] = np.searchsorted(np.cumsum(world.attention).astype(np.float32), luck[lists], side="right")
    return eye


def _alone(laws: Laws, taste: Ints, is_own: Bools, luck: NDArray[np.float64]) -> Ints:
    """Return the items that tastes want on pages of their own, -1 on others."""
    item = np.full(len(taste), -1)
    own = np.flatnonzero(is_own)
    # In ascending order within each taste: searching 235,000 items in random order took five times as long.
    own = own[np.argsort(taste[own] + luck[own])]
    bounds = np.searchsorted(taste[own], np.arange(len(laws.ends_KN) + 1))
    last = int(np.flatnonzero(laws.is_sold)[-1])
    for number, ends in enumerate(laws.ends_KN):
        which = own[bounds[number] : bounds[number + 1]]
        item[which] = np.minimum(np.searchsorted(ends, luck[which] * ends[-1], side="right"), last)
    return item


def _pauses(noise: Singles, away: Singles, is_bot: Bools) -> Ints:
    """Return two pauses a page, of 2 x P normal numbers and P in [0, 1)."""
    pause_s = _log_normal_s(noise)
    pause_s[:, is_bot] = _BOT_PAUSE_S
    pause_s[1, (away < _AWAY[0]) & ~is_bot] += _AWAY[1]
    return _whole_us(pause_s)


def _log_normal_s(noise: Singles) -> Singles:
    median_s, sigma = _PAUSE_S
    seconds: Singles = np.exp(np.float32(np.log(median_s)) + np.float32(sigma) * noise)
    return seconds


def _whole_us(seconds: Singles) -> Ints:
    """Return whole milliseconds, at least one, as microseconds."""
    whole: Ints = (seconds * 1_000).astype(np.int64) * 1_000 + 1_000
    return whole
