"""Filters: which candidates may be shown at all. They decide, they do not order; what they remove has a reason.

Shapes: C candidates.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from endcap.serving.asking import Asking
from endcap.serving.sources import Candidates

__all__ = ["FILTERS", "eligible"]

Bools = NDArray[np.bool_]
Items = NDArray[np.int64]


def _out_of_stock(asking: Asking, items: Items) -> Bools:
    return ~asking.bundle.items.in_stock_N[items]


def _excluded(asking: Asking, items: Items) -> Bools:
    return np.isin(items, list(asking.excluded))


def _current(asking: Asking, items: Items) -> Bools:
    return np.isin(items, list(asking.current))


def _seen(asking: Asking, items: Items) -> Bools:
    if not asking.drops_seen:
        return np.zeros(len(items), np.bool_)
    return np.isin(items, asking.history.items)


FILTERS: dict[str, Callable[[Asking, Items], Bools]] = {
    "current": _current,
    "excluded": _excluded,
    "out_of_stock": _out_of_stock,
    "seen": _seen,
}
"""Reason -> whose candidates it removes, in the order in which they are tried."""


def eligible(asking: Asking, candidates: Candidates) -> tuple[Candidates, dict[int, str]]:
    """Remove what may not be shown.

    Returns:
        The candidates that are left, in the same order, and for each removed item number the first reason that holds.
    """
    removed: dict[int, str] = {}
    for reason, is_removed in FILTERS.items():
        gone = is_removed(asking, candidates.items)
        removed |= dict.fromkeys(candidates.items[gone].tolist(), reason)
        candidates = candidates.where(~gone)
    return candidates, removed
