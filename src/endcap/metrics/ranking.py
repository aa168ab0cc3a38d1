"""How good rankings are where each case has one relevant item.

Shapes: B cases, N items, K places. A rank counts from 0; a rank of -1 says that the case is undefined.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["UNDEFINED", "coverage", "hr_at", "mean_defined", "mrr_at", "ndcg_at", "ranks_of", "top_items"]

UNDEFINED = -1
"""The rank of a case without a relevant item among its candidates."""

Floats = NDArray[np.float64]
Ranks = NDArray[np.int64]


def ranks_of(scores_BN: NDArray[np.float32], targets_B: NDArray[np.int32]) -> Ranks:
    """Rank each case's target: the number of items that score at least as much, less one.

    Ties go against the target, so a model that scores everything alike gains nothing by it. NaN ranks behind all.

    Args:
        scores_BN: B x N float32; -inf marks what is no candidate.
        targets_B: B item numbers; -1 for a target that is no item of the catalogue.

    Returns:
        B ranks from 0; N for a target that the model cannot score (unknown or NaN), so it is missed at every k;
        UNDEFINED for a target that is no candidate.

    >>> ranks_of(np.array([[.5, .9, .5], [.1, .2, -np.inf]], np.float32), np.array([0, 2], np.int32)).tolist()
    [2, -1]
    """
    num_items = scores_BN.shape[1]
    known_B = targets_B >= 0
    target_score_B = scores_BN[np.arange(len(targets_B)), np.where(known_B, targets_B, 0)]
    not_below_B: Ranks = np.count_nonzero(scores_BN >= target_score_B[:, None], axis=1).astype(np.int64)
    ranks_B = not_below_B - 1
    ranks_B[~known_B | np.isnan(target_score_B)] = num_items
    ranks_B[known_B & np.isneginf(target_score_B)] = UNDEFINED
    return ranks_B


def top_items(scores_BN: NDArray[np.float32], count: int) -> NDArray[np.int32]:
    """List the best items of each row, best first; ties go to the lower item number, whatever the machine.

    Args:
        scores_BN: B x N float32 without NaN.
        count: K, how many; fewer come back where there are fewer items.

    Returns:
        B x min(K, N) item numbers; -1 where only items at -inf are left.

    >>> top_items(np.array([[1, 3, 3, 2], [0, -np.inf, -np.inf, 0]], np.float32), 3).tolist()
    [[1, 2, 3], [0, 3, -1]]
    """
    num_rows, num_items = scores_BN.shape
    count = min(count, num_items)
    if count == 0 or num_rows == 0:
        return np.zeros((num_rows, count), np.int32)
    least_B = np.partition(scores_BN, num_items - count, axis=1)[:, num_items - count]
    chosen_BN = scores_BN >= least_B[:, None]
    crowded = np.flatnonzero(np.count_nonzero(chosen_BN, axis=1) > count)
    for row in crowded:  # more ties at the last place than places: the first of them stay
        tied = np.flatnonzero(scores_BN[row] == least_B[row])
        above = np.count_nonzero(scores_BN[row] > least_B[row])
        chosen_BN[row, tied[count - above :]] = False
    items_BK = np.nonzero(chosen_BN)[1].reshape(num_rows, count).astype(np.int32)
    found_BK = np.take_along_axis(scores_BN, items_BK, axis=1)
    order_BK = np.argsort(-found_BK, axis=1, kind="stable")
    items_BK = np.take_along_axis(items_BK, order_BK, axis=1)
    return np.where(np.isneginf(np.take_along_axis(found_BK, order_BK, axis=1)), np.int32(-1), items_BK)


def hr_at(ranks_B: Ranks, k: int) -> Floats:
    """Return for each case 1 if the target is among the first k, else 0; NaN where undefined.

    >>> hr_at(np.array([0, 9, 10, -1]), 10).tolist()
    [1.0, 1.0, 0.0, nan]
    """
    return _defined(ranks_B, (ranks_B < k).astype(np.float64))


def ndcg_at(ranks_B: Ranks, k: int) -> Floats:
    """Return for each case 1 / log2(rank + 2) if the target is among the first k, else 0; NaN where undefined.

    With one relevant item the ideal gain is 1 (Jarvelin and Kekalainen 2002).

    >>> ndcg_at(np.array([0, 2, 10, -1]), 10).tolist()
    [1.0, 0.5, 0.0, nan]
    """
    return _defined(ranks_B, np.where(ranks_B < k, 1.0 / np.log2(np.maximum(ranks_B, 0) + 2.0), 0.0))


def mrr_at(ranks_B: Ranks, k: int) -> Floats:
    """Return for each case 1 / (rank + 1) if the target is among the first k, else 0; NaN where undefined.

    >>> mrr_at(np.array([0, 3, 10, -1]), 10).tolist()
    [1.0, 0.25, 0.0, nan]
    """
    return _defined(ranks_B, np.where(ranks_B < k, 1.0 / (np.maximum(ranks_B, 0) + 1.0), 0.0))


def coverage(top_BK: NDArray[np.int32], num_items: int) -> float:
    """Return the share of the catalogue that stands in at least one of the lists.

    Args:
        top_BK: B lists of item numbers; -1 marks an empty place.
        num_items: N.

    Returns:
        0..1; NaN where there are no lists or no items.

    >>> coverage(np.array([[0, 1], [1, -1]], np.int32), 4)
    0.5
    """
    if len(top_BK) == 0 or num_items == 0:
        return float("nan")
    shown = top_BK[top_BK >= 0]
    return float(np.count_nonzero(np.bincount(shown, minlength=num_items)) / num_items)


def mean_defined(values_B: Floats) -> tuple[float, int]:
    """Return the mean of the defined values and the number of undefined ones; the mean of none is NaN.

    >>> mean_defined(np.array([1.0, np.nan, 0.0]))
    (0.5, 1)
    """
    defined = values_B[~np.isnan(values_B)]
    undefined = len(values_B) - len(defined)
    return (float(defined.mean()) if len(defined) else float("nan")), undefined


def _defined(ranks_B: Ranks, values_B: Floats) -> Floats:
    """Put NaN where the rank is undefined."""
    return np.where(ranks_B == UNDEFINED, np.nan, values_B)
