"""How far two distributions are from each other."""

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["jensen_shannon"]


def jensen_shannon(first: ArrayLike, second: ArrayLike) -> float:
    """Return the Jensen-Shannon divergence of two distributions in bits (Lin 1991, equation 3.5, equal weights).

    It is symmetric, defined where one of them is zero, 0 for equal distributions, 1 for those with nothing in common.

    Args:
        first: C counts or shares >= 0; they are divided by their sum.
        second: C counts or shares >= 0 of the same C kinds.

    Returns:
        0..1; NaN where one of them sums to zero.

    Raises:
        ValueError: The lengths differ or a count is negative.

    >>> jensen_shannon([10, 0], [0, 3]), jensen_shannon([2, 2], [5, 5])
    (1.0, 0.0)
    """
    p_C, q_C = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if p_C.shape != q_C.shape or p_C.ndim != 1:
        raise ValueError(f"distributions of {p_C.shape} and {q_C.shape} kinds cannot be compared")
    if (p_C < 0).any() or (q_C < 0).any():
        raise ValueError("a distribution has negative counts")
    if p_C.sum() == 0 or q_C.sum() == 0:
        return float("nan")
    p_C, q_C = p_C / p_C.sum(), q_C / q_C.sum()
    mean_C = (p_C + q_C) / 2
    return float(np.clip(_entropy(mean_C) - (_entropy(p_C) + _entropy(q_C)) / 2, 0, 1))


def _entropy(p_C: np.ndarray) -> float:
    """Return the entropy in bits."""
    seen_C = p_C[p_C > 0]
    return float(-(seen_C * np.log2(seen_C)).sum())
