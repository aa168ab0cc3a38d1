"""The range of a world: titles, categories, prices, costs, what the crowd wants, and what goes with what.

Shapes: N items, C categories, M complements of an item.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from endcap.simulation.settings import Quantiles, World
from endcap.simulation.streams import Purpose, stream

__all__ = ["BRANDS", "STRENGTHS", "WEEK_DAYS", "Catalogue", "make_catalogue", "mean_of", "quantiles_at", "week_prices"]

STRENGTHS = np.array([0.4, 0.25, 0.2, 0.15])
"""M shares with which an item leads to each of its complements; they sum to 1."""

WEEK_DAYS = 7
"""The range and the promotions change on every seventh day of a world."""

BRANDS = ("", "", "Northfold", "Kestrel", "Alder & Pine", "Lumen Works")
_COLOURS = ("Black", "White", "Navy", "Forest", "Slate", "Sand", "Coral", "Mustard", "Teal", "Plum", "Rust", "Cream")
# Path, typical price in minor units, materials, nouns. Each category's complement is the next one in the list, the
# last one's is the first: who looked at mugs looks at coffee makers next.
_CATEGORIES = (
    ("Kitchen/Mugs", 1_400, ("Ceramic", "Enamel", "Stoneware"), ("Mug", "Espresso Cup", "Tumbler")),
    ("Kitchen/Coffee", 4_200, ("Steel", "Glass", "Copper"), ("French Press", "Pour Over Set", "Coffee Grinder")),
    ("Kitchen/Bottles", 2_300, ("Steel", "Glass", "Bamboo"), ("Water Bottle", "Flask", "Travel Cup")),
    ("Bags/Backpacks", 6_900, ("Canvas", "Nylon", "Leather"), ("Backpack", "Daypack", "Roll Top Pack")),
    ("Office/Notebooks", 1_100, ("Recycled", "Linen", "Leather"), ("Notebook", "Planner", "Sketchbook")),
    ("Office/Pens", 800, ("Brass", "Wooden", "Steel"), ("Ballpoint Pen", "Fountain Pen", "Pencil Set")),
    ("Office/Desk", 3_600, ("Oak", "Cork", "Felt"), ("Desk Mat", "Monitor Stand", "Desk Organiser")),
    ("Home/Lighting", 5_200, ("Brass", "Paper", "Glass"), ("Desk Lamp", "Lantern", "Pendant Light")),
    ("Apparel/T-Shirts", 2_400, ("Cotton", "Linen", "Merino"), ("T-Shirt", "Pocket Tee", "Long Sleeve Tee")),
    ("Apparel/Hoodies", 5_500, ("Cotton", "Fleece", "Wool"), ("Hoodie", "Zip Hoodie", "Sweatshirt")),
    ("Apparel/Hats", 2_000, ("Wool", "Twill", "Corduroy"), ("Cap", "Beanie", "Bucket Hat")),
    ("Apparel/Socks", 900, ("Merino", "Cotton", "Bamboo"), ("Socks", "Ankle Socks", "Boot Socks")),
)
_PARTS = (len(_COLOURS), 3, 3)  # colours, materials and nouns that a category's titles are made of
_TITLES_A_CATEGORY = int(np.prod(_PARTS))
_ITEMS_A_CATEGORY = 4  # at least; tiny worlds have fewer categories
_NEVER = 1 << 30


@dataclass(frozen=True)
class Catalogue:
    """N items.

    Args:
        item_ids: N ids, ascending.
        titles: N texts, all different.
        categories: C paths.
        category: N numbers of categories.
        brand: N places in BRANDS.
        colour: N words.
        material: N words.
        price_minor: N prices without a promotion, minor units.
        cost_minor: N costs of goods sold, minor units.
        is_priced: N booleans: the feed tells the price (a few it does not, as in real shops).
        typical_minor: N typical prices of the item's category, minor units.
        weight: N numbers > 0 of mean 1: how much the crowd wants it.
        complements: N x M item numbers, never the item itself.
        first_week: N weeks of launch, from 0.
        end_week: N weeks from which it is no longer sold; a huge number where it stays.
    """

    item_ids: pa.Array
    titles: pa.Array
    categories: list[str]
    category: NDArray[np.int64]
    brand: NDArray[np.int64]
    colour: pa.Array
    material: pa.Array
    price_minor: NDArray[np.int64]
    cost_minor: NDArray[np.int64]
    is_priced: NDArray[np.bool_]
    typical_minor: NDArray[np.int64]
    weight: NDArray[np.float64]
    complements: NDArray[np.int32]
    first_week: NDArray[np.int64]
    end_week: NDArray[np.int64]

    def is_sold_in(self, week: int) -> NDArray[np.bool_]:
        """Return N booleans: launched and not delisted."""
        return (self.first_week <= week) & (week < self.end_week)


def make_catalogue(world: World) -> Catalogue:
    """Invent the range of a world."""
    rng = stream(world.seed, Purpose.CATALOGUE)
    items = world.items
    num_categories = max(2, min(len(_CATEGORIES), items // _ITEMS_A_CATEGORY))
    category = np.arange(items) % num_categories
    titles, colour, material = _titles(category, num_categories, rng)
    typical = np.array([each[1] for each in _CATEGORIES])[category]
    price = np.rint(typical * np.exp(rng.normal(0, 0.35, items)) / 50).astype(np.int64) * 50 + 49
    weight = quantiles_at(world.item_weights, (rng.permutation(items) + 0.5) / items)
    digits = pc.utf8_lpad(pa.array(np.arange(1, items + 1)).cast(pa.string()), max(4, len(str(items))), "0")
    return Catalogue(
        item_ids=pc.binary_join_element_wise("P", digits, ""),
        titles=titles,
        categories=[each[0] for each in _CATEGORIES[:num_categories]],
        category=category,
        brand=rng.integers(0, len(BRANDS), items),
        colour=colour,
        material=material,
        price_minor=price,
        cost_minor=np.rint(price * rng.uniform(0.4, 0.75, items)).astype(np.int64),
        is_priced=rng.random(items) >= 0.01,
        typical_minor=typical,
        weight=weight / weight.mean(),
        complements=_complements(category, num_categories, weight, rng),
        **_lives(world, rng),
    )


def quantiles_at(knots: Quantiles, share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values of a distribution at shares, log-linear between its knots (linear from a value of 0).

    >>> quantiles_at(((0, 1.0), (0.5, 10.0), (1, 1000.0)), np.array([0, 0.25, 0.5, 1])).round(2).tolist()
    [1.0, 3.16, 10.0, 1000.0]
    """
    at, value = np.array(knots, np.float64).T
    has_zero = bool((value <= 0).any())
    found: NDArray[np.float64] = np.interp(share, at, value if has_zero else np.log(value))
    return found if has_zero else np.exp(found)


def mean_of(knots: Quantiles) -> float:
    """Return the mean of a distribution given by its quantiles.

    >>> round(mean_of(((0, 0.0), (0.5, 2.0), (1, 4.0))), 6)
    2.0
    """
    at, value = np.array(knots, np.float64).T
    low, high = value[:-1], value[1:]
    pieces = (low + high) / 2
    if (value > 0).all():
        apart = low != high
        growth = np.log(high[apart] / low[apart])
        pieces[apart] = low[apart] * np.expm1(growth) / growth
    return float(pieces @ np.diff(at))


def week_prices(world: World, goods: Catalogue, week: int) -> NDArray[np.int64]:
    """Return N prices of a week in minor units: some categories have a promotion, on part of their items."""
    if not world.changes_range:
        return goods.price_minor
    rng = stream(world.seed, Purpose.PROMOTIONS, day=week)
    rebate_C = rng.choice([0.0, 0.1, 0.2, 0.3], len(goods.categories), p=[0.7, 0.1, 0.1, 0.1])
    is_on = rng.random(len(goods.weight)) < 0.5
    rebate = rebate_C[goods.category] * is_on
    reduced: NDArray[np.int64] = np.rint(goods.price_minor * (1 - rebate)).astype(np.int64)
    return reduced


def _titles(
    category: NDArray[np.int64], num_categories: int, rng: np.random.Generator
) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Give each item a combination of its category's words; when all are used up, they start again as `No. 2`."""
    turn = np.arange(len(category)) // num_categories
    edition, place = np.divmod(turn, _TITLES_A_CATEGORY)
    words_CW = np.stack([rng.permutation(_TITLES_A_CATEGORY) for _ in range(num_categories)])
    colour, material, noun = np.unravel_index(words_CW[category, place], _PARTS)
    materials = pa.array([word for each in _CATEGORIES for word in each[2]])
    nouns = pa.array([word for each in _CATEGORIES for word in each[3]])
    colour_words = pa.array(_COLOURS).take(pa.array(colour))
    material_words = materials.take(pa.array(category * 3 + material))
    title = pc.binary_join_element_wise(colour_words, material_words, nouns.take(pa.array(category * 3 + noun)), " ")
    numbered = pc.binary_join_element_wise(title, pa.array(edition + 1).cast(pa.string()), " No. ")
    return pc.if_else(pa.array(edition > 0), numbered, title), colour_words, material_words


def _complements(
    category: NDArray[np.int64], num_categories: int, weight: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int32]:
    """Plant for each item three complements of the next category and one substitute of its own; popular ones rather."""
    items = len(category)
    found = np.empty((items, len(STRENGTHS)), np.int32)
    members = [np.flatnonzero(category == each) for each in range(num_categories)]
    ends = [np.cumsum(np.sqrt(weight[each])) for each in members]
    for own in range(num_categories):
        for turn in range(len(STRENGTHS)):
            other = own if turn == len(STRENGTHS) - 1 else (own + 1) % num_categories
            luck = rng.random(len(members[own])) * ends[other][-1]
            place = np.searchsorted(ends[other], luck, side="right")
            is_itself = members[other][place] == members[own]
            found[members[own], turn] = members[other][(place + is_itself) % len(members[other])]
    return found


def _lives(world: World, rng: np.random.Generator) -> dict[str, NDArray[np.int64]]:
    """Draw when items are launched and delisted; a range that does not change is all there, always."""
    items, weeks = world.items, -(-world.days // WEEK_DAYS)
    luck, when = rng.random(items), rng.integers(1, max(weeks, 2), items)
    changes = world.changes_range and weeks > 1
    first = np.where(changes & (luck < 0.06), when, 0)
    end = np.where(changes & (luck > 0.97), when, _NEVER)
    return {"first_week": first, "end_week": end}
