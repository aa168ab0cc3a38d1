"""The simulated shop's range: titles, categories, prices, popularity, and which item leads to which.

Shapes: N items, C categories.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["NUM_CATEGORIES", "Range", "make_range"]

_COLOURS = ("Black", "White", "Navy", "Forest", "Slate", "Sand", "Coral", "Mustard", "Teal", "Plum", "Rust", "Cream")
_BRANDS = ("", "", "Northfold", "Kestrel", "Alder & Pine", "Lumen Works")

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
NUM_CATEGORIES = len(_CATEGORIES)
_TITLES_A_CATEGORY = len(_COLOURS) * 3 * 3


@dataclass(frozen=True)
class Range:
    """N items of the shop.

    Args:
        item_ids: Ids in ascending order.
        titles: Colour, material, noun: all different.
        categories: Category paths.
        brands: Brands, "" where an item has none.
        category_of: N numbers of categories, 0..C-1.
        price_minor: N prices in minor units.
        is_priced: N booleans: the feed names the price.
        in_stock: N booleans.
        log_popularity: N logarithms of how often an item is looked at for its own sake.
        follows: N x N, how strongly the row's item leads to the column's: 0 where it does not, else in (0, 1].
    """

    item_ids: list[str]
    titles: list[str]
    categories: list[str]
    brands: list[str]
    category_of: NDArray[np.int64]
    price_minor: NDArray[np.int64]
    is_priced: NDArray[np.bool_]
    in_stock: NDArray[np.bool_]
    log_popularity: NDArray[np.float64]
    follows: NDArray[np.float32]


def make_range(items: int, rng: np.random.Generator) -> Range:
    """Invent the range.

    Args:
        items: N, at least 10.
        rng: The catalogue's own stream.
    """
    category_of = np.arange(items) % NUM_CATEGORIES
    typical = np.array([each[1] for each in _CATEGORIES])[category_of]
    price_minor = np.rint(typical * np.exp(rng.normal(0, 0.35, items)) / 50).astype(np.int64) * 50 + 49
    log_popularity = -0.8 * np.log1p(rng.permutation(items))
    rare = rng.permutation(items)
    few = max(2, items // 60)
    return Range(
        item_ids=[f"P{number:04d}" for number in range(1, items + 1)],
        titles=_titles(category_of, rng),
        categories=[_CATEGORIES[each][0] for each in category_of],
        brands=[_BRANDS[each] for each in rng.integers(0, len(_BRANDS), items)],
        category_of=category_of,
        price_minor=price_minor,
        is_priced=~np.isin(np.arange(items), rare[:few]),
        in_stock=~np.isin(np.arange(items), rare[few : 2 * few]),
        log_popularity=log_popularity,
        follows=_follows(category_of, log_popularity, rng),
    )


def _titles(category_of: NDArray[np.int64], rng: np.random.Generator) -> list[str]:
    """Give each item a combination of its category's words; when all are used up, they start again as `No. 2`."""
    titles = [""] * len(category_of)
    for category, (_, _, materials, nouns) in enumerate(_CATEGORIES):
        words = rng.permutation(_TITLES_A_CATEGORY)
        for turn, item in enumerate(np.flatnonzero(category_of == category)):
            edition, place = divmod(turn, _TITLES_A_CATEGORY)
            noun, rest = divmod(int(words[place]), len(_COLOURS) * 3)
            material, colour = divmod(rest, len(_COLOURS))
            title = f"{_COLOURS[colour]} {materials[material]} {nouns[noun]}"
            titles[item] = f"{title} No. {edition + 1}" if edition else title
    return titles


def _follows(
    category_of: NDArray[np.int64], log_popularity: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Plant for each item two complements of the next category and one substitute of its own; popular ones rather."""
    items = len(category_of)
    keys_NN = log_popularity[None, :] * 0.5 + rng.gumbel(size=(items, items))
    np.fill_diagonal(keys_NN, -np.inf)
    follows_NN = np.zeros((items, items), np.float32)
    for step, strengths in ((1, (1.0, 0.8)), (0, (0.7,))):
        wanted_NN = category_of[None, :] == (category_of[:, None] + step) % NUM_CATEGORIES
        best_NK = np.argsort(np.where(wanted_NN, keys_NN, -np.inf), axis=1, kind="stable")[:, ::-1]
        for place, strength in enumerate(strengths):
            chosen = best_NK[:, place]
            is_there = wanted_NN[np.arange(items), chosen] & (chosen != np.arange(items))
            follows_NN[np.flatnonzero(is_there), chosen[is_there]] = strength
    return follows_NN
