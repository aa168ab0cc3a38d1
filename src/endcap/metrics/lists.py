"""What recommended lists are like beyond their hits: how surprising, how varied, how much of the same for everybody.

Shapes: B lists, K places, N items, P pairs of places. A place of -1 is empty.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["diversity", "gini", "novelty", "popularity"]

Floats = NDArray[np.float64]
Items = NDArray[np.int32]
Counts = NDArray[np.int64]

_CELLS = 2**24
"""Pairs of places looked at at once: 16 MiB."""


def novelty(top_BK: Items, counts_N: Counts) -> Floats:
    """Return for each list the mean self-information of its items in bits: -log2 of their share of all events.

    Source: Zhou et al. 2010, surprisal: -log2 p_i, the mean over the list; there p_i is a share of users.

    Args:
        top_BK: B lists of item numbers.
        counts_N: N counts of events in training.

    Returns:
        B numbers >= 0. An item without any event has no self-information and is left out of its list's mean; NaN for a
        list without an item that has one.

    >>> novelty(np.array([[0, 1], [1, -1], [2, -1]], np.int32), np.array([2, 2, 0])).tolist()
    [1.0, 1.0, nan]
    """
    shares_N = _shares(counts_N)
    known_N = shares_N > 0
    bits_N = np.where(known_N, -np.log2(np.where(known_N, shares_N, 1.0)), np.nan)
    return _mean_of_places(top_BK, bits_N)


def popularity(top_BK: Items, counts_N: Counts) -> Floats:
    """Return for each list the mean share of all events that its items have: its average popularity.

    Source: Abdollahpouri et al. 2019, average recommendation popularity: the mean of phi_i over the list; there phi_i
    is a count, but only shares compare between shops.

    Args:
        top_BK: B lists of item numbers.
        counts_N: N counts of events in training.

    Returns:
        B shares in 0..1; NaN for an empty list, and where there is no event at all.

    >>> popularity(np.array([[0, 1], [-1, -1]], np.int32), np.array([3, 1])).tolist()
    [0.5, nan]
    """
    return _mean_of_places(top_BK, _shares(counts_N))


def diversity(top_BK: Items, category_N: NDArray[np.int64]) -> Floats:
    """Return for each list the share of its pairs of items that are of two categories.

    Source: Smyth and McClave 2001: the sum of 1 - sim(i, j) over pairs i < j, over their number; sim is 1 within a
    category and 0 else.

    Args:
        top_BK: B lists of item numbers.
        category_N: N numbers of categories; -1 where an item's is unknown.

    Returns:
        B shares in 0..1; pairs with an unknown category do not count; NaN for a list without a pair that does.

    >>> diversity(np.array([[0, 1, 2], [0, 1, -1], [0, 3, -1]], np.int32), np.array([5, 5, 6, -1])).round(4).tolist()
    [0.6667, 0.0, nan]
    """
    num_lists, num_places = top_BK.shape
    found_B = np.full(num_lists, np.nan)
    if num_places == 0 or len(category_N) == 0:
        return found_B
    category_BK = np.where(top_BK >= 0, category_N[np.maximum(top_BK, 0)], -1)
    first_P, second_P = np.triu_indices(num_places, 1)
    step = max(1, _CELLS // max(1, len(first_P)))
    for start in range(0, num_lists, step):
        first_BP, second_BP = (category_BK[start : start + step, at_P] for at_P in (first_P, second_P))
        known_BP = (first_BP >= 0) & (second_BP >= 0)
        pairs_B = np.count_nonzero(known_BP, axis=1)
        differ_B = np.count_nonzero(known_BP & (first_BP != second_BP), axis=1)
        np.divide(differ_B, pairs_B, out=found_B[start : start + step], where=pairs_B > 0)
    return found_B


def gini(top_BK: Items, num_items: int) -> float:
    """Return how unevenly all places of all lists are spread over the N items: 0 evenly, near 1 all on one item.

    Source: Fleder and Hosanagar 2009, the Gini coefficient of the counts x_i of items in ascending order:
    sum of (2 i - N - 1) x_i over N times the sum of x_i.

    Args:
        top_BK: B lists of item numbers.
        num_items: N; items in no list count as 0.

    Returns:
        0..1 - 1 / N; NaN where no place is filled.

    >>> gini(np.array([[0, 1], [2, 3]], np.int32), 4), gini(np.array([[0], [0]], np.int32), 4)
    (0.0, 0.75)
    """
    times_N = np.sort(np.bincount(top_BK[top_BK >= 0], minlength=num_items))
    total = int(times_N.sum())
    if total == 0:
        return float("nan")
    return float(np.sum((2 * np.arange(1, num_items + 1) - num_items - 1) * times_N) / (num_items * total))


def _shares(counts_N: Counts) -> Floats:
    """Return the counts as shares of their sum; NaN where that is 0."""
    total = counts_N.sum()
    shares_N: Floats = counts_N / total if total else np.full(len(counts_N), np.nan)
    return shares_N


def _mean_of_places(top_BK: Items, values_N: Floats) -> Floats:
    """Return each list's mean of its items' values that are defined."""
    if len(values_N) == 0:
        return np.full(len(top_BK), np.nan)
    values_BK = np.where(top_BK >= 0, values_N[np.maximum(top_BK, 0)], np.nan)
    defined_BK = ~np.isnan(values_BK)
    num_B = np.count_nonzero(defined_BK, axis=1)
    sums_B = np.where(defined_BK, values_BK, 0.0).sum(axis=1)
    means_B: Floats = np.divide(sums_B, num_B, out=np.full(len(top_BK), np.nan), where=num_B > 0)
    return means_B
