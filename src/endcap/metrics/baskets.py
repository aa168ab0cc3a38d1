"""How good rankings are where each case has several relevant items: the items of a basket.

Shapes: B cases, N items, T relevant items over all cases; case b's are starts[b]:starts[b+1]. Ranks are those of
`ranking.ranks_of`, one for each relevant item: from 0, ties against it.
"""

import numpy as np
from numpy.typing import NDArray

from endcap.metrics.ranking import ranks_of

__all__ = ["basket_hr_at", "basket_ndcg_at", "basket_recall_at", "ranks_of_several"]

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


def ranks_of_several(scores_BN: NDArray[np.float32], starts: Numbers, items: NDArray[np.int32]) -> Numbers:
    """Rank each relevant item of each case; see `ranking.ranks_of`.

    Args:
        scores_BN: B x N float32; -inf marks what is no candidate.
        starts: B+1 offsets into `items`; the first need not be 0.
        items: Item numbers.

    >>> scores_BN = np.array([[3, 2, 1], [0, 5, 0]], np.float32)
    >>> ranks_of_several(scores_BN, np.array([0, 2, 3]), np.array([0, 2, 2], np.int32)).tolist()
    [0, 2, 2]
    """
    rows_T = np.repeat(np.arange(len(scores_BN)), np.diff(starts))
    return ranks_of(scores_BN[rows_T], items[starts[0] : starts[-1]])


def basket_recall_at(ranks_T: Numbers, starts: Numbers, k: int) -> Floats:
    """Return for each case the share of its relevant items among the first k; NaN where it has none.

    A basket of more than k items cannot come to 1.

    >>> basket_recall_at(np.array([0, 5, 9, 2]), np.array([0, 3, 4, 4]), 5).tolist()
    [0.3333333333333333, 1.0, nan]
    """
    return _over(_sums((ranks_T < k).astype(np.float64), starts), np.diff(starts).astype(np.float64))


def basket_hr_at(ranks_T: Numbers, starts: Numbers, k: int) -> Floats:
    """Return for each case 1 if any of its relevant items is among the first k, else 0; NaN where it has none.

    >>> basket_hr_at(np.array([0, 5, 9, 7]), np.array([0, 3, 4, 4]), 5).tolist()
    [1.0, 0.0, nan]
    """
    hits_B = _sums((ranks_T < k).astype(np.float64), starts)
    return np.where(np.diff(starts) > 0, (hits_B > 0).astype(np.float64), np.nan)


def basket_ndcg_at(ranks_T: Numbers, starts: Numbers, k: int) -> Floats:
    """Return for each case the gains of its relevant items over those of the best order; NaN where it has none.

    An item at rank r < k gains 1 / log2(r + 2); the best order has the relevant items first, k of them at most
    (Jarvelin and Kekalainen 2002).

    >>> basket_ndcg_at(np.array([0, 1, 2, 9]), np.array([0, 2, 4]), 5).round(4).tolist()
    [1.0, 0.3066]
    """
    gains_T = np.where(ranks_T < k, 1 / np.log2(np.maximum(ranks_T, 0) + 2.0), 0.0)
    best = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(k) + 2.0))])
    return _over(_sums(gains_T, starts), best[np.minimum(np.diff(starts), k)])


def _sums(values_T: Floats, starts: Numbers) -> Floats:
    """Sum the values of each case."""
    case_T = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    return np.asarray(np.bincount(case_T, weights=values_T, minlength=len(starts) - 1), np.float64)


def _over(values_B: Floats, most_B: Floats) -> Floats:
    shares_B: Floats = np.divide(values_B, most_B, out=np.full(len(values_B), np.nan), where=most_B > 0)
    return shares_B
