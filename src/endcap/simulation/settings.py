"""What a world is made of: its size, its laws and their numbers, and the presets."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

from endcap.core.clock import next_day
from endcap.core.errors import Code, UsageError, near

__all__ = ["PRESETS", "Quantiles", "World", "make_world", "planted_shock"]

Quantiles = tuple[tuple[float, float], ...]
"""(share, value) in ascending order from share 0 to 1: a distribution, log-linear between its knots."""

# Attention falls on one place of a list, or on none: click-through by place of the Google Merchandise Store in per
# cent (docs/simulation.md), over the mean probability that a looked-at item is clicked.
_CLICKED = (
    3.7,
    2.3,
    1.8,
    1.55,
    1.35,
    1.25,
    1.1,
    1.0,
    0.95,
    0.9,
    0.88,
    0.86,
    0.85,
    0.84,
    0.83,
    0.82,
    0.81,
    0.8,
    0.8,
    0.8,
)
_ATTENTION = tuple(each / 100 / 0.3 for each in _CLICKED)


@dataclass(frozen=True)
class World:
    """The laws of a world. The same world gives the same bytes.

    Args:
        name: Of the preset it was made from.
        days: UTC days, 1..3660.
        visitors: People and bots, at least 1.
        items: Products, at least 10.
        seed: Of everything that is drawn, >= 0.
        start: First day, YYYY-MM-DD.
        block: Visitors that are simulated together; a block's day is what is in memory at once, beside some 90 bytes of
            every visitor. What is drawn depends on it.
        tastes: Latent tastes, 2..64.
        item_weights: Events an item over the mean.
        activity: Later sessions a visitor may have over all days, beside the first one.
        p_next_page: A session goes on after a page, up to 400 pages.
        p_land_on_item: A session's first page is an item's, not a list.
        p_list: A later page is a list.
        places: Items a list shows.
        attention: For each place the probability that the visitor's eye falls on it; not ascending, sum <= 1.
        attraction: The greatest probability that a looked-at item is clicked for its own sake, in (0, 1).
        complement_pull: What is added to it for an item that goes with the one before; the two sum to <= 1.
        p_follow: An item page that is not landed on is one that goes with the item before.
        p_repeat: A session lands on what the visitor bought last.
        p_cart: A viewed item of fair price is put into the cart; at most 0.9 of the cheapest are.
        p_remove: A cart line is taken out again.
        p_checkout: A session with a cart goes to the till.
        p_pay: Who is at the till pays.
        p_return: A paid line comes back, within two weeks.
        drift: A visitor's taste is drawn anew from one day to the next.
        later_visits: How strongly good and bad lists change the rate of later sessions; 0: not at all.
        has_stock: Items sell out and are restocked.
        changes_range: Launches, delistings and promotions, on every seventh day.
        has_seasons: Weekdays and holidays matter; hours of the day always do.
        bot_share: Of the visitors.
        account_share: Of the people: they log in, some only late in a session.
        shock_day: The day before which `shock_share` of the visitors have their taste drawn anew; "" for none.
        shock_share: Share of visitors.
        feed_every_days: How often the whole feed is written; inventory is told daily.
    """

    name: str
    days: int
    visitors: int
    items: int
    seed: int = 7
    start: str = "2026-01-01"
    block: int = 1 << 16
    tastes: int = 16
    item_weights: Quantiles = ((0, 0.03), (0.5, 0.22), (0.75, 0.58), (0.9, 2.15), (0.95, 4.8), (1, 30))
    activity: Quantiles = ((0, 0.0), (1, 1.0))
    p_next_page: float = 0.8
    p_land_on_item: float = 1.0
    p_list: float = 0.6
    places: int = 20
    attention: tuple[float, ...] = _ATTENTION
    attraction: float = 0.5
    complement_pull: float = 0.35
    p_follow: float = 0.35
    p_repeat: float = 0.0
    p_cart: float = 0.05
    p_remove: float = 0.08
    p_checkout: float = 0.7
    p_pay: float = 0.5
    p_return: float = 0.05
    drift: float = 0.01
    later_visits: float = 0.0
    has_stock: bool = False
    changes_range: bool = False
    has_seasons: bool = False
    bot_share: float = 0.0
    account_share: float = 0.2
    shock_day: str = ""
    shock_share: float = 0.5
    feed_every_days: int = 1

    @property
    def is_memoryless(self) -> bool:
        """Whether a day is the same whatever happened on the days before."""
        return not (self.has_stock or self.later_visits or self.p_repeat or self.changes_range)


_LIVELY: dict[str, Any] = {
    "has_stock": True,
    "changes_range": True,
    "has_seasons": True,
    "later_visits": 0.3,
    "p_repeat": 0.1,
}

PRESETS: dict[str, World] = {
    # A small shop that has everything, for trying things out: some seconds.
    "small": World(
        name="small",
        days=30,
        visitors=20_000,
        items=2_000,
        block=1 << 15,
        activity=((0, 0.2), (0.5, 1.5), (0.9, 8.0), (1, 60.0)),
        p_land_on_item=0.6,
        p_list=0.66,
        p_cart=0.12,
        bot_share=0.002,
        **_LIVELY,
    ),
    # Nothing depends on the days before, so that the value of a policy has a closed form.
    "stationary": World(
        name="stationary", days=14, visitors=5_000, items=500, activity=((0, 0.5), (0.8, 3.0), (1, 20.0)), p_cart=0.12
    ),
    # 2.66 M views, 69 k carts and 22 k order lines of 1.4 M visitors (Retailrocket, 2015-05-03 to 2015-09-18).
    "retailrocket": World(
        name="retailrocket",
        days=138,
        visitors=1_407_580,
        items=287_000,  # of which 235 k are seen, as in the log; its catalogue names 417 k
        item_weights=((0, 0.1), (0.5, 0.35), (0.75, 0.8), (0.9, 1.9), (0.95, 3.5), (1, 40)),
        start="2015-05-03",
        block=1 << 21,
        tastes=10,
        activity=((0, 0.0), (0.6, 0.06), (0.9, 1.15), (1, 9.3)),
        p_next_page=0.58,
        p_list=0.86,
        p_cart=0.0191,
        p_pay=0.507,
        feed_every_days=7,
        bot_share=0.00005,
        **{**_LIVELY, "later_visits": 0.1},
    ),
    # 12.9 M visitors, 1.86 M items and 217 M events in four weeks (OTTO, August 2022): most will scale it down.
    "otto": World(
        name="otto",
        days=28,
        visitors=12_899_779,
        items=1_855_603,
        start="2022-08-01",
        block=1 << 18,
        activity=((0, 0.2), (0.5, 1.85), (0.75, 6.0), (0.9, 20.3), (0.95, 35.5), (1, 95.5)),
        p_list=0.6,
        p_cart=0.0695,
        p_pay=0.483,
        feed_every_days=7,
        **{**_LIVELY, "later_visits": 0.1},
    ),
}


def make_world(name: str, *, scale: float = 1.0, **changes: Any) -> World:
    """Return a preset, scaled and changed.

    Args:
        name: Of the preset.
        scale: Factor on visitors and items, > 0.
        changes: Settings of World that differ; None leaves one as it is.

    Raises:
        UsageError: There is no such preset or setting, or a value is out of its range.
    """
    if name not in PRESETS:
        raise _refused(f"there is no preset '{name}'; {near(name, list(PRESETS))}", "--preset")
    if not 0 < scale <= 100:
        raise _refused(f"scale is {scale}, it must be above 0 and at most 100", "--scale")
    world = PRESETS[name]
    world = replace(world, visitors=max(1, round(world.visitors * scale)), items=max(10, round(world.items * scale)))
    known = [each.name for each in fields(World)]
    for setting in changes:
        if setting not in known:
            raise _refused(f"there is no setting '{setting}'; {near(setting, known)}", "")
    world = replace(world, **{setting: value for setting, value in changes.items() if value is not None})
    _check(world)
    shock_day = world.shock_day and next_day(world.shock_day, 0)
    return replace(world, start=next_day(world.start, 0), shock_day=shock_day)


def planted_shock(world: World, words: Sequence[str]) -> tuple[World, list[str]]:
    """Take a planted drift shock out of the words of `--faults`: it is in the world, the others are in the log.

    Args:
        world: The world.
        words: `drift_shock` (at two thirds of the days), `drift_shock=2026-01-20`, `all`, or names of faults.

    Returns:
        The world, with the shock if one is wanted, and the words that are left.

    Raises:
        UsageError: The day is not one of the world after its first.
    """
    left = [word for word in words if word.partition("=")[0] != "drift_shock"]
    asked = [word.partition("=")[2] for word in words if word not in left]
    if "all" in words and not asked and world.days > 1:
        asked = [""]
    if asked:
        day = _day(asked[-1], _SHOCK) if asked[-1] else next_day(world.start, max(1, 2 * world.days // 3))
        world = replace(world, shock_day=day)
        _check(world)
    return world, left


def _check(world: World) -> None:
    """Refuse settings that make no world."""
    for name, low, high in _RANGES:
        value = getattr(world, name)
        if isinstance(low, int) and not isinstance(value, int):
            raise _refused(f"{name} is {value!r}, it must be a whole number", _where(name))
        if not low <= value <= high:
            raise _refused(f"{name} is {value}, it must lie in {low:,}..{high:,}", _where(name))
    first = _day(world.start, "--start")
    try:
        last = next_day(first, world.days - 1)
    except OverflowError as error:
        raise _refused(f"'{world.start}' with {world.days} days is no range of days", "--start") from error
    if world.shock_day and not first < _day(world.shock_day, _SHOCK) <= last:
        raise _refused(f"the shock's day {world.shock_day} is not after {first} and up to {last}", _SHOCK)
    seen = world.attention[: world.places]
    falls = all(one >= other >= 0 for one, other in pairwise([*seen, 0.0]))
    if len(seen) < world.places or not falls or sum(seen) > 1:
        raise _refused(
            "attention must have a share >= 0 for each place, none greater than the one before, at most 1 in sum",
            "attention",
        )
    for name in ("item_weights", "activity"):
        _check_knots(name, getattr(world, name))
    if world.attraction + world.complement_pull > 1:
        raise _refused("attraction and complement_pull must sum to at most 1", "attraction")


def _where(name: str) -> str:
    """Return the option of a setting, or its name where only code can give it."""
    return f"--{name}" if name in _OPTIONS else name


def _day(text: str, where: str) -> str:
    """Return a day as YYYY-MM-DD."""
    try:
        return next_day(text, 0)
    except (ValueError, OverflowError) as error:
        raise _refused(f"'{text}' is no day, write YYYY-MM-DD", where) from error


def _check_knots(name: str, knots: Quantiles) -> None:
    """Refuse what is no distribution: shares from 0 to 1, values that do not fall, not all of them 0."""
    shares, values = [each[0] for each in knots], [each[1] for each in knots]
    rises = all(one <= other for each in (shares, values) for one, other in pairwise(each))
    if len(knots) < 2 or (shares[0], shares[-1]) != (0, 1) or not rises or values[0] < 0 or values[-1] <= 0:
        raise _refused(f"{name} must be pairs (share, value) from share 0 to 1, values >= 0 that do not fall", name)


def _refused(what: str, where: str) -> UsageError:
    return UsageError(what, where=where, fix="see `endcap simulate --help`", code=Code.USAGE)


_SHOCK = "--faults drift_shock"
_OPTIONS = ("days", "visitors", "items", "seed", "start")

_RANGES: tuple[tuple[str, float, float], ...] = (
    ("days", 1, 3660),
    ("visitors", 1, 100_000_000),
    ("items", 10, 10_000_000),
    ("seed", 0, 2**63 - 1),
    ("block", 1, 1 << 24),
    ("tastes", 2, 64),
    ("places", 1, 100),
    ("attraction", 0.001, 0.999),
    ("complement_pull", 0.0, 0.999),
    ("p_next_page", 0.0, 0.95),  # sessions end after 400 pages: above that some would
    ("p_cart", 0.0, 0.9),
    *((name, 0.0, 1.0) for name in ("p_land_on_item", "p_list", "p_follow", "p_repeat", "p_remove")),
    *((name, 0.0, 1.0) for name in ("p_checkout", "p_pay", "p_return", "drift", "bot_share", "account_share")),
    ("shock_share", 0.0, 1.0),
    ("later_visits", 0.0, 1.0),  # e^2 sessions are drawn for each that takes place, at worst
    ("feed_every_days", 1, 3660),
)
