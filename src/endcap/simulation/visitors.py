"""Who there is and who comes when: people and bots of one block, their devices and accounts, and the sessions of a day.

The block is the unit of work: what is drawn for one depends on nobody outside it. Everybody comes once, on a day that
follows from his number; later sessions are a Poisson process whose rate good and bad lists may change. They are drawn
at the greatest rate that there can be, and lists decide which of them take place: two policies meet the same world.

Shapes: U visitors of the block, S sessions of the day.
"""

from dataclasses import dataclass, fields
from functools import cache

import numpy as np
from numpy.typing import NDArray

from endcap.core.clock import DAY_US, day_start_us, next_day
from endcap.simulation.catalogue import quantiles_at
from endcap.simulation.settings import World
from endcap.simulation.streams import Purpose, stream
from endcap.simulation.tastes import Tastes

__all__ = [
    "COUNTRIES",
    "DEVICES",
    "NEVER",
    "TRAFFIC",
    "Arrivals",
    "Sessions",
    "State",
    "Visitors",
    "arrivals",
    "day_factors",
    "draw_visitors",
    "first_state",
    "newcomers_until",
    "num_blocks",
    "tastes_change",
]

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# Country, its share of visitors, and the site that it is served by.
COUNTRIES = (
    ("United States", 0.5, "shop.example"),
    ("Germany", 0.15, "shop.example.de"),
    ("United Kingdom", 0.12, "shop.example.co.uk"),
    ("Japan", 0.1, "shop.example"),
    ("Brazil", 0.07, "shop.example"),
    ("India", 0.06, "shop.example"),
)
DEVICES = (
    ("mobile", "Android", "Chrome"),
    ("mobile", "iOS", "Safari"),
    ("desktop", "Windows", "Edge"),
    ("desktop", "Macintosh", "Safari"),
    ("tablet", "iOS", "Safari"),
)
TRAFFIC = (
    ("(direct)", "(none)", "(direct)"),
    ("(organic)", "organic", "google"),
    ("spring", "email", "newsletter"),
    ("brand", "cpc", "google"),
)
NEVER = 1 << 20
"""The page at which a session logs in that never does."""

# Views by hour of the UTC day and by weekday (Monday first), Google Merchandise Store, August and September 2016.
_HOURS = np.array(
    (
        *(4235, 3747, 3961, 3878, 3560, 3641, 2880, 2393, 1844, 1585, 1489, 1791),
        *(2246, 3029, 4332, 5576, 5388, 6106, 6180, 5767, 6044, 5096, 5301, 4574),
    ),
    float,
)
_WEEKDAYS = np.array([14057, 16370, 16992, 15135, 15038, 9090, 7961], float)
# First and last day (month, day) of a season, and how much more is visited.
_HOLIDAYS = (((11, 20), (11, 30), 1.6), ((12, 1), (12, 20), 1.35), ((12, 24), (12, 26), 0.6), ((1, 1), (1, 1), 0.7))
_BOT_PAGES = (20, 0.03)  # at least, and the share of pages after which a bot stops
_BOT_ACTIVITY = 6.0
_SECOND_DEVICE = 0.35  # of the sessions of a person with an account
_LOGGED_IN, _LOGS_IN_LATE = 0.5, 0.25  # shares of the sessions of a person with an account
_MOST_PAGES = 400


@dataclass(frozen=True)
class Visitors:
    """U visitors of a block, in the order of their first visit.

    Args:
        block: Its number.
        first: Number of the first of them in the world.
        activity: Later sessions each may have over all days.
        is_bot: Whether it is a bot.
        account: Customer numbers, -1 for who has none.
        cookie: U x 2 numbers of 18 digits, one for each device.
        device: U x 2 places in DEVICES.
        traffic: U x 2 places in TRAFFIC: where the device came from the first time.
        country: Places in COUNTRIES.
        allows_ads: The visitor consented to personalised advertising.
    """

    block: int
    first: int
    activity: Floats
    is_bot: Bools
    account: Ints
    cookie: Ints
    device: Ints
    traffic: Ints
    country: Ints
    allows_ads: Bools


@dataclass
class State:
    """What changes about U visitors from day to day.

    Args:
        taste: Numbers of tastes; that of a bot is K.
        pleased: What lists made of them, -1..1.
        bought: The item each bought last, -1 for none.
    """

    taste: Ints
    pleased: Floats
    bought: Ints


@dataclass(frozen=True)
class Sessions:
    """S sessions of one day, those with most pages first.

    Args:
        visitor: Places in the block.
        start_us: Instants, whole milliseconds.
        pages: Pages looked at, at least 1.
        which: 0 or 1: the device.
        login_page: Page from which the visitor is logged in: 0 from the start, NEVER for who is not.
    """

    visitor: Ints
    start_us: Ints
    pages: Ints
    which: Ints
    login_page: Ints

    def where(self, chosen: Bools) -> "Sessions":
        """Return some of the sessions."""
        return Sessions(*(getattr(self, each.name)[chosen] for each in fields(self)))


@dataclass(frozen=True)
class Arrivals:
    """Who may come on a day and who does.

    Args:
        may: The sessions that there may be, whatever lists were shown on the days before.
        come: For each of them whether it takes place.
    """

    may: Sessions
    come: Bools


def num_blocks(world: World) -> int:
    """Return how many blocks a world's visitors make."""
    return -(-world.visitors // world.block)


def draw_visitors(world: World, block: int) -> Visitors:
    """Draw the visitors of a block."""
    rng = stream(world.seed, Purpose.VISITORS, block=block)
    first = block * world.block
    count = min(world.block, world.visitors - first)
    is_bot = rng.random(count) < world.bot_share
    activity = quantiles_at(world.activity, rng.random(count))
    has_account = (rng.random(count) < world.account_share) & ~is_bot
    return Visitors(
        block=block,
        first=first,
        activity=np.where(is_bot, _BOT_ACTIVITY, activity),
        is_bot=is_bot,
        account=np.where(has_account, _customers(first + np.arange(count), world.seed), -1),
        cookie=rng.integers(10**17, 10**18, (count, 2)),
        device=rng.integers(0, len(DEVICES), (count, 2)),
        traffic=np.searchsorted(np.cumsum([0.4, 0.35, 0.1]), rng.random((count, 2))),
        country=np.searchsorted(np.cumsum([each[1] for each in COUNTRIES])[:-1], rng.random(count)),
        allows_ads=rng.random(count) < 0.8,
    )


def _customers(visitor: Ints, seed: int) -> Ints:
    """Return customer numbers, each visitor's another, that do not tell his number: an odd factor modulo 2^32."""
    return (visitor * 2_654_435_761 + seed % 2**32) % 2**32


def first_state(world: World, tastes: Tastes, people: Visitors) -> State:
    """Return the state of a block's visitors before the first day."""
    rng = stream(world.seed, Purpose.DRIFT, day=0, block=people.block)
    taste = rng.choice(world.tastes, len(people.is_bot), p=tastes.prior)
    return State(
        taste=np.where(people.is_bot, world.tastes, taste),
        pleased=np.zeros(len(taste)),
        bought=np.full(len(taste), -1),
    )


def tastes_change(world: World, tastes: Tastes, people: Visitors, state: State, day: int) -> Ints:
    """Let tastes drift between the day before and day number `day` (from 1); return who got a new draw.

    Every visitor's taste is drawn anew from the prior with probability `drift` (and `shock_share` on the shock's day),
    independently: over n days the chain has the closed form (1 - drift)^n of staying undrawn.
    """
    rng = stream(world.seed, Purpose.DRIFT, day=day, block=people.block)
    count = len(people.is_bot)
    p_new = world.drift
    if world.shock_day and next_day(world.start, day) == world.shock_day:
        p_new = 1 - (1 - world.drift) * (1 - world.shock_share)
    who = rng.choice(count, rng.binomial(count, p_new), replace=False, shuffle=False)
    who = np.sort(who[~people.is_bot[who]])
    state.taste[who] = rng.choice(world.tastes, len(who), p=tastes.prior)
    return who


@cache
def day_factors(world: World) -> Floats:
    """Return for each day how much it is visited, in parts of the mean day."""
    factors = np.ones(world.days)
    if world.has_seasons:
        weekday = (day_start_us(world.start) // DAY_US + 3 + np.arange(world.days)) % 7  # 1970-01-01 was a Thursday
        factors *= _WEEKDAYS[weekday] / _WEEKDAYS.mean()
        for number in range(world.days):
            month_day = tuple(int(part) for part in next_day(world.start, number).split("-")[1:])
            factors[number] *= next((much for low, high, much in _HOLIDAYS if low <= month_day <= high), 1.0)
    relative: Floats = factors / factors.mean()
    return relative


@cache
def newcomers_until(world: World, count: int) -> Ints:
    """Return for each day how many of a block's `count` visitors have had their first visit by its end."""
    so_far = np.cumsum(day_factors(world)) / world.days
    until: Ints = np.rint(count * so_far).astype(np.int64)
    return until


def arrivals(world: World, people: Visitors, state: State, day: int) -> Arrivals:
    """Draw the sessions that the visitors of a block may start on a day, and which of them they do.

    A later session takes place with probability exp(later_visits (pleased - 1)): of a Poisson process at the greatest
    rate, activity / days x exp(later_visits), that leaves one at the rate of who is as pleased as that.
    """
    rng = stream(world.seed, Purpose.ARRIVALS, day=day, block=people.block)
    until = newcomers_until(world, len(people.is_bot))
    known, now_known = (int(until[day - 1]) if day else 0), int(until[day])
    ends = np.cumsum(people.activity[:known]) * (np.exp(world.later_visits) / world.days)
    returning = rng.poisson(day_factors(world)[day] * ends[-1]) if known else 0
    luck = np.sort(rng.random(returning))  # in order: searching a million visitors at random took four times as long
    back = np.searchsorted(ends, luck * (ends[-1] if known else 0), side="right")
    visitor = np.concatenate([np.minimum(back, known - 1), np.arange(known, now_known)])
    may, place = _sessions(world, people, visitor, day, rng)
    come = np.ones(len(visitor), bool)
    if world.later_visits:
        pleased = state.pleased[visitor[:returning]]
        come[:returning] = rng.random(returning) < np.exp(world.later_visits * (pleased - 1))
    return Arrivals(may, come[place])


def _sessions(
    world: World, people: Visitors, visitor: Ints, day: int, rng: np.random.Generator
) -> tuple[Sessions, Ints]:
    """Draw a session for each of these visitors; return also where in `visitor` each of them stood."""
    count = len(visitor)
    is_bot, has_account = people.is_bot[visitor], people.account[visitor] >= 0
    pages = np.minimum(rng.geometric(1 - world.p_next_page, count), _MOST_PAGES)
    bots = np.flatnonzero(is_bot)
    pages[bots] = np.minimum(_BOT_PAGES[0] + rng.geometric(_BOT_PAGES[1], len(bots)), _MOST_PAGES)
    hour = np.searchsorted(np.cumsum(_HOURS / _HOURS.sum())[:-1], rng.random(count))
    start_ms = hour * 3_600_000 + rng.integers(0, 3_600_000, count)
    luck, late = rng.random(count), rng.integers(1, 6, count)
    login = np.where(luck < _LOGGED_IN, 0, np.where(luck < _LOGGED_IN + _LOGS_IN_LATE, late, NEVER))
    which = (has_account & (rng.random(count) < _SECOND_DEVICE)).astype(np.int64)
    order = np.argsort(-pages, kind="stable")
    found = Sessions(
        visitor=visitor[order],
        start_us=(day_start_us(world.start) + day * DAY_US + start_ms * 1_000)[order],
        pages=pages[order],
        which=which[order],
        login_page=np.where(has_account, login, NEVER)[order],
    )
    return found, order
