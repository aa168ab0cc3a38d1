"""Baskets: which items were bought together, and how often each pair was, as sparse rows.

Shapes: N items, E elements, R rows (a basket x one of its items), P pairs.
"""

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import EVENT_KINDS, Int32, Int64, Sequences
from endcap.models.transitions import Transitions

__all__ = ["LARGEST", "count_together", "find_baskets"]

LARGEST = 100
"""Items of a basket that count, the first by number: pairs grow with the square, and a wholesaler's order of a thousand
lines says little of any two of them."""

_PURCHASE = EVENT_KINDS.index("purchase")


def find_baskets(sequences: Sequences) -> tuple[Int64, Int32]:
    """Return the baskets that sequences tell of.

    A basket is what was bought in a sequence. Where the data does not tell what was bought, or nothing was, it is what
    stands at one instant of a sequence, as the lines of one order do; and where no two elements share one, a whole
    sequence.

    Args:
        sequences: S sequences.

    Returns:
        R numbers of baskets, ascending, and the item of each row, ascending within a basket; each pair once.
    """
    group_E, chosen_E = sequences.sequence_of(), np.ones(len(sequences.items), bool)
    bought_E = None if sequences.events is None else sequences.events == _PURCHASE
    if bought_E is not None and bought_E.any():
        chosen_E = bought_E
    else:
        same_E = np.zeros(len(group_E), bool)
        same_E[1:] = (group_E[1:] == group_E[:-1]) & (sequences.at_us[1:] == sequences.at_us[:-1])
        if same_E.any():
            group_E = np.cumsum(~same_E) - 1
    num_items = int(sequences.items.max(initial=0)) + 1
    rows = np.unique(group_E[chosen_E] * num_items + sequences.items[chosen_E])
    basket_R, item_R = rows // num_items, (rows % num_items).astype(np.int32)
    kept_R = _place_in_group(basket_R) < LARGEST
    return basket_R[kept_R], item_R[kept_R]


def count_together(basket_R: Int64, item_R: Int32, num_items: int) -> Transitions:
    """Count in how many baskets each two items lie.

    Args:
        basket_R: R numbers of baskets, ascending.
        item_R: The item of each row, once a basket.
        num_items: N.

    Returns:
        Rows of an N x N matrix that is its own mirror image; an item is not together with itself.
    """
    items = item_R.astype(np.int64)
    keys: list[Int64] = []
    counts: list[Int64] = []
    for apart in range(1, LARGEST):
        same = basket_R[apart:] == basket_R[:-apart]
        if not same.any():
            break
        one, other = items[:-apart][same], items[apart:][same]
        key, count = np.unique(np.concatenate([one * num_items + other, other * num_items + one]), return_counts=True)
        keys.append(key)
        counts.append(count)
    return Transitions.summed(keys, counts, num_items)


def _place_in_group(group_R: Int64) -> NDArray[np.int64]:
    """Return the place of each row in its group, from 0."""
    opens_R = np.ones(len(group_R), bool)
    opens_R[1:] = group_R[1:] != group_R[:-1]
    first_R = np.flatnonzero(opens_R)[np.cumsum(opens_R) - 1] if len(group_R) else np.zeros(0, np.int64)
    return np.arange(len(group_R), dtype=np.int64) - first_R
