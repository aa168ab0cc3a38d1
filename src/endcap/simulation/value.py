"""What a policy is worth in a world without memory, in closed form: no visitor is simulated.

A visitor of one taste goes from page to page as a Markov chain over the item viewed last; where the law of the lists
does not depend on the visitor, the expected clicks and purchases follow by adding up its pages. The expected number of
sessions of a visitor follows from the arrivals. For ranges of some thousand items: N x N chances are kept.

Shapes: K tastes, N items, L places.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.simulation.catalogue import STRENGTHS, make_catalogue, mean_of
from endcap.simulation.policies import Policy, place_law
from endcap.simulation.settings import World
from endcap.simulation.stock import first_shelves, open_day
from endcap.simulation.tastes import Laws, Tastes, make_laws, make_tastes
from endcap.simulation.truth import p_paid
from endcap.simulation.visitors import day_factors, newcomers_until, num_blocks

__all__ = ["Value", "sessions_per_visitor", "value_of"]

Floats = NDArray[np.float64]

_NEGLIGIBLE = 1e-13  # share of the sessions that go on beyond the page at which the sum stops


@dataclass(frozen=True)
class Value:
    """What is expected of a policy for each visitor over all days.

    Args:
        clicks: Clicks in its lists.
        carts: Carts of items clicked in its lists.
        purchases: Lines paid of items clicked in its lists.
    """

    clicks: float
    carts: float
    purchases: float


def value_of(world: World, policy: Policy) -> Value:
    """Compute the value of a policy in a world without memory and without bots.

    Args:
        world: `is_memoryless`, with no bots; a world with a memory has no closed form.
        policy: `Random` or `Popular`; the law of its lists must not depend on the visitor.

    Raises:
        ValueError: The world has a memory or bots.
    """
    if not world.is_memoryless or world.bot_share:
        raise ValueError(world.name)
    goods = make_catalogue(world)
    tastes = make_tastes(world, goods)
    laws = make_laws(world, goods, tastes, 0)
    day = open_day(world, laws, first_shelves(world, tastes, laws), 0)
    places = min(world.places, len(day.offered))
    law_LN = place_law(policy, popular=day.popular, offered=day.offered, places=places, items=world.items)
    looked_at = np.asarray(world.attention[:places]) @ law_LN
    clicks_N, carts_N = _clicked_in_a_session(world, laws, tastes, looked_at)
    sessions = sessions_per_visitor(world)
    carts = sessions * float(carts_N.sum())
    return Value(sessions * float(clicks_N.sum()), carts, carts * p_paid(world))


def sessions_per_visitor(world: World) -> float:
    """Return the expected number of sessions of a visitor: the first, and those that come later at a mean rate."""
    factors, later = day_factors(world), 0.0
    for block in range(num_blocks(world)):
        count = min(world.block, world.visitors - block * world.block)
        known_in_the_morning = np.concatenate([[0], newcomers_until(world, count)[:-1]])
        later += mean_of(world.activity) / world.days * float(factors @ known_in_the_morning)
    return 1 + later / world.visitors


def _clicked_in_a_session(world: World, laws: Laws, tastes: Tastes, looked_at: Floats) -> tuple[Floats, Floats]:
    """Return N expected clicks on each item in one session of a visitor, and N expected carts after them.

    `at` is the chance of having viewed each item last, `nowhere` that of having viewed none yet; together they sum to
    the chance that the session has come so far.
    """
    people = slice(0, world.tastes)
    wanted_KN = laws.wanted_KN[people].astype(np.float64)
    alone_KN = looked_at * laws.attraction_KN[people]
    shares_NN = _shares(laws)
    pulls_NN = laws.pull_strength * shares_NN * looked_at
    follows_NN = laws.p_follow * shares_NN * laws.is_sold
    at_KN, nowhere_K = np.zeros_like(alone_KN), np.ones(world.tastes)
    clicked_KN = np.zeros_like(alone_KN)
    p_list = 1 - world.p_land_on_item
    while (at_KN.sum(axis=1) + nowhere_K).max() > _NEGLIGIBLE:
        here_K = nowhere_K + at_KN.sum(axis=1)
        clicks_KN = p_list * (here_K[:, None] * alone_KN + at_KN @ pulls_NN)
        clicked_KN += clicks_KN
        unled_K = here_K - at_KN @ follows_NN.sum(axis=1)
        own_KN = (1 - p_list) * (at_KN @ follows_NN + unled_K[:, None] * wanted_KN)
        stays_KN = p_list * (1 - alone_KN.sum(axis=1)[:, None] - pulls_NN.sum(axis=1))
        at_KN = world.p_next_page * (clicks_KN + own_KN + at_KN * stays_KN)
        nowhere_K = world.p_next_page * nowhere_K * p_list * (1 - alone_KN.sum(axis=1))
        p_list = world.p_list
    carts_KN = clicked_KN * laws.cart_KN[people]
    return tastes.prior @ clicked_KN, tastes.prior @ carts_KN


def _shares(laws: Laws) -> Floats:
    """Return N x N shares with which each item (row) leads to others."""
    items = len(laws.complements)
    shares_NN = np.zeros((items, items))
    for turn, share in enumerate(STRENGTHS):
        np.add.at(shares_NN, (np.arange(items), laws.complements[:, turn]), share)
    return shares_NN
