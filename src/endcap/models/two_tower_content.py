"""Content of items as numbered features: what a new item shares with known ones.

Shapes: N items, M features of one item at most.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Catalogue

__all__ = ["content_features", "content_names", "known_features"]

_MOST = 32
"""Features kept of one item; category, brand and price come first, so that only words of a long title are lost."""

_UNKNOWN = {"", "(not set)"}


def content_features(catalogue: Catalogue) -> tuple[NDArray[np.int64], int]:
    """Number the content of each item: category paths, brand, price bucket and the words of its title.

    Returns:
        N x M feature numbers from 1, 0 where an item has fewer than M; and how many features there are.

    >>> content_features(Catalogue(("a", "b"), categories=("Home/Mugs", "Home/Pens")))[0].tolist()
    [[1], [1]]
    """
    names = content_names(catalogue)
    return known_features(catalogue, names), len(names)


def content_names(catalogue: Catalogue) -> tuple[str, ...]:
    """Name the features of a catalogue, in the order of their numbers.

    A feature of one item only is left out: it is a second id, and says nothing of a new item.
    """
    named = [_names(catalogue, item) for item in range(len(catalogue))]
    shared = Counter(name for names in named for name in names)
    kept = [name for names in named for name in [each for each in names if shared[each] > 1][:_MOST]]
    return tuple(dict.fromkeys(kept))


def known_features(catalogue: Catalogue, names: Sequence[str]) -> NDArray[np.int64]:
    """Return the numbers of each item's features among those that were named, also of items that came later.

    Args:
        catalogue: N items.
        names: Of features, in the order of their numbers.

    Returns:
        N x M feature numbers from 1, 0 where an item has fewer than M.
    """
    numbers = {name: number for number, name in enumerate(names, start=1)}
    rows = [
        [numbers[name] for name in _names(catalogue, item) if name in numbers][:_MOST] for item in range(len(catalogue))
    ]
    features_NM = np.zeros((len(rows), max(map(len, rows), default=0)), np.int64)
    for item, row in enumerate(rows):
        features_NM[item, : len(row)] = row
    return features_NM


def _names(catalogue: Catalogue, item: int) -> list[str]:
    """Name the features of one item, each once, the most telling first."""
    names = []
    if catalogue.categories is not None and catalogue.categories[item] not in _UNKNOWN:
        parts = [part.strip() for part in re.split(r"[/>]", catalogue.categories[item]) if part.strip()]
        names += ["category:" + "/".join(parts[: depth + 1]) for depth in range(len(parts))]
    if catalogue.brands is not None and catalogue.brands[item] not in _UNKNOWN:
        names.append("brand:" + catalogue.brands[item].casefold())
    if catalogue.prices is not None and catalogue.prices[item] > 0:
        # Two buckets each time the price doubles: a 5.00 and a 6.00 item are alike, a 5.00 and a 50.00 are not.
        names.append(f"price:{int(2 * np.log2(catalogue.prices[item]))}")
    if catalogue.titles is not None:
        names += ["word:" + word for word in re.findall(r"\w+", catalogue.titles[item].casefold())]
    return list(dict.fromkeys(names))
