"""Tastes: a visitor's is one of K latent ones, and what each taste does with each item is known to the digit.

A visitor of taste k who comes to an item by himself chooses it with a probability proportional to `wanted`; who looks
at it in a list clicks with `attraction` plus a pull if it goes with the item before; who views it puts it into the cart
with `cart`. Price works through all three, more for some tastes. The mixture is finite on purpose: what is known of a
visitor after any history is K probabilities, and a filter computes them exactly (`belief.py`).

Shapes: K tastes, then one row for bots, N items, C categories, M complements.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from endcap.simulation.catalogue import BRANDS, STRENGTHS, Catalogue, week_prices
from endcap.simulation.settings import World
from endcap.simulation.streams import Purpose, stream

__all__ = ["Laws", "Tastes", "make_laws", "make_tastes", "pull"]

_STEEP, _MIDDLE = np.float32(1.5), np.float32(2.0)  # of the logistic curve from liking to clicks
_CROWD = 0.4  # how much of what makes the crowd want an item makes it clicked in a list
_MOST_CARTS = np.float32(0.9)

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Tastes:
    """K tastes.

    Args:
        prior: K probabilities with which a visitor's taste is drawn.
        category_KC: Leaning to each category, a logarithm.
        brand_KB: Leaning to each brand, a logarithm.
        price_K: How strongly a price above the category's typical one repels, >= 0.
    """

    prior: Floats
    category_KC: Floats
    brand_KB: Floats
    price_K: Floats


@dataclass(frozen=True)
class Laws:
    """What each taste does with each item in one week. Row K is that of bots: any item, no click, no cart.

    Args:
        week: Number of the week.
        is_sold: N booleans.
        price_minor: N prices, minor units.
        wanted_KN: K + 1 rows of probabilities that sum to 1, 0 where an item is not sold.
        attraction_KN: Click probabilities of a looked-at item, without the pull of the item before.
        cart_KN: Cart probabilities of a viewed item that is in stock.
        complements: N x M item numbers.
        pull_strength: What the pull of a complement of share 1 adds to the click probability.
        p_follow: See World.
    """

    week: int
    is_sold: NDArray[np.bool_]
    price_minor: Ints
    wanted_KN: Singles
    attraction_KN: Singles
    cart_KN: Singles
    complements: NDArray[np.int32]
    pull_strength: float
    p_follow: float

    @cached_property
    def ends_KN(self) -> Floats:
        """Cumulated `wanted_KN`, for drawing."""
        return np.cumsum(self.wanted_KN, axis=1, dtype=np.float64)

    def chosen_by_themselves(self, taste: Ints, before: Ints, item: Ints) -> Floats:
        """Return the probability that a visitor comes to `item` by himself after the item `before`.

        Args:
            taste: Numbers of tastes, any shape.
            before: Item numbers, -1 where there is none; broadcast against `taste`.
            item: Item numbers, likewise.

        Returns:
            Probabilities, p_follow x share of the complement + what is left x `wanted`. A complement that is not sold
            leaves its share to `wanted`.
        """
        known = np.maximum(before, 0)
        near_M = self.complements[known]
        share_M = STRENGTHS * self.is_sold[near_M] * (before >= 0)[..., None] * self.p_follow
        followed = (share_M * (near_M == item[..., None])).sum(axis=-1)
        found: Floats = followed + (1 - share_M.sum(axis=-1)) * self.wanted_KN[taste, item]
        return found


def pull(complements: NDArray[np.int32], before: Ints, item: Ints | NDArray[np.int32]) -> Floats:
    """Return the share with which the items before lead to each item: 0 where they do not, at most 1.

    Args:
        complements: N x M.
        before: B item numbers, -1 for none.
        item: B x L item numbers.

    Returns:
        B x L shares.
    """
    found = np.zeros(item.shape)
    known = complements[np.maximum(before, 0)]
    for turn, share in enumerate(STRENGTHS):
        found += share * (known[:, turn, None] == item)
    return np.where((before >= 0)[:, None], found, 0.0)


def make_tastes(world: World, goods: Catalogue) -> Tastes:
    """Draw the tastes of a world."""
    rng = stream(world.seed, Purpose.TASTES)
    tastes, categories = world.tastes, len(goods.categories)
    return Tastes(
        prior=rng.dirichlet(np.full(tastes, 4.0)),
        category_KC=np.log(rng.dirichlet(np.full(categories, 0.35), tastes) + 0.15 / categories),
        brand_KB=rng.normal(0, 0.5, (tastes, len(BRANDS))),
        price_K=rng.uniform(0.2, 1.5, tastes),
    )


def make_laws(world: World, goods: Catalogue, tastes: Tastes, week: int) -> Laws:
    """Compute what every taste does with every item in a week."""
    price = week_prices(world, goods, week)
    is_sold = goods.is_sold_in(week)
    dear = np.log(price / goods.typical_minor).astype(np.float32)
    # In single precision and in place: with 300,000 items twenty weeks of laws took longer than all visitors together.
    wanted_KN, attraction_KN, cart_KN = np.empty((3, world.tastes + 1, world.items), np.float32)
    repels_KN = np.multiply(tastes.price_K.astype(np.float32)[:, None], dear, out=cart_KN[:-1])
    liking_KN = np.take(tastes.category_KC.astype(np.float32), goods.category, axis=1, out=attraction_KN[:-1])
    liking_KN += tastes.brand_KB.astype(np.float32)[:, goods.brand]
    liking_KN -= repels_KN
    np.exp(liking_KN, out=wanted_KN[:-1])
    wanted_KN[:-1] *= (goods.weight * is_sold).astype(np.float32)
    wanted_KN[-1] = is_sold
    wanted_KN /= wanted_KN.sum(axis=1, keepdims=True)
    liking_KN += (_CROWD * np.log(goods.weight)).astype(np.float32)
    _in_place_clicks(liking_KN, world.attraction)
    np.exp(np.negative(repels_KN, out=repels_KN), out=repels_KN)
    np.minimum(_MOST_CARTS, repels_KN * np.float32(world.p_cart), out=repels_KN)
    cart_KN[-1] = attraction_KN[-1] = 0
    return Laws(
        week=week,
        is_sold=is_sold,
        price_minor=price,
        wanted_KN=wanted_KN,
        attraction_KN=attraction_KN,
        cart_KN=cart_KN,
        complements=goods.complements,
        pull_strength=world.complement_pull,
        p_follow=world.p_follow,
    )


def _in_place_clicks(liking_KN: Singles, most: float) -> None:
    """Turn likings into click probabilities, at most `most`: a logistic curve."""
    liking_KN += _MIDDLE
    liking_KN *= -_STEEP
    np.exp(liking_KN, out=liking_KN)
    liking_KN += 1
    np.divide(np.float32(most), liking_KN, out=liking_KN)
