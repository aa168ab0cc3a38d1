"""How good predicted probabilities are: do they order, and do they come true?

Shapes: B cases, each an item that was shown with what became of it; G groups; P parts of equally many cases. Where
cases were sampled, a case weighs one over the probability with which it was kept: sums then estimate those over all.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["auc", "grouped_auc", "log_losses", "observed_over_expected"]

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]

_LEAST = 1e-12
"""The least probability that a log loss is taken of; the most is one less that."""


def auc(scores_B: Floats, labels_B: Labels, weights_B: Floats | None = None) -> float:
    """Return the area under the ROC curve: how often what happened scores above what did not, ties counting half.

    Args:
        scores_B: B scores without NaN; only their order matters.
        labels_B: B, whether it happened.
        weights_B: B weights >= 0; 1 each by default.

    Returns:
        0..1; NaN where everything happened, or nothing.

    >>> auc(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False]))
    0.875
    """
    weights_B = np.ones(len(scores_B)) if weights_B is None else weights_B
    _, at_B = np.unique(scores_B, return_inverse=True)
    happened = np.bincount(at_B, np.where(labels_B, weights_B, 0.0))
    not_so = np.bincount(at_B, np.where(labels_B, 0.0, weights_B))
    pairs = happened.sum() * not_so.sum()
    if pairs == 0:
        return float("nan")
    below = np.cumsum(not_so) - not_so
    return float((happened * (below + not_so / 2)).sum() / pairs)


def grouped_auc(scores_B: Floats, labels_B: Labels, groups_B: NDArray[np.int64]) -> float:
    """Return the mean AUC within groups, each weighing as much as it has cases (gAUC, Zhu et al. 2017).

    It asks whether a shopper's own items are ordered well: that some shoppers click more than others adds nothing.

    Args:
        scores_B: B scores without NaN.
        labels_B: B, whether it happened.
        groups_B: B numbers of groups.

    Returns:
        0..1; NaN where no group has both what happened and what did not.
    """
    order_B = np.argsort(groups_B, kind="stable")
    cuts = np.flatnonzero(np.diff(groups_B[order_B])) + 1
    total, cases = 0.0, 0
    for at in np.split(order_B, cuts):
        if len(at) and labels_B[at].any() and not labels_B[at].all():
            total += auc(scores_B[at], labels_B[at]) * len(at)
            cases += len(at)
    return total / cases if cases else float("nan")


def log_losses(probabilities_B: Floats, labels_B: Labels) -> Floats:
    """Return each case's negative log likelihood, in nats: 0 is certain and right.

    >>> log_losses(np.array([0.5, 1.0, 0.0]), np.array([True, True, False])).round(3).tolist()
    [0.693, 0.0, 0.0]
    """
    told_B = np.clip(np.where(labels_B, probabilities_B, 1 - probabilities_B), _LEAST, 1 - _LEAST)
    losses_B: Floats = -np.log(told_B)
    return losses_B


def observed_over_expected(
    probabilities_B: Floats, labels_B: Labels, *, parts: int = 10, weights_B: Floats | None = None
) -> Floats:
    """Return how much happened over how much was expected to, for parts of the cases from the least probable on.

    Args:
        probabilities_B: B probabilities; cases of one probability stand in the order in which they came.
        labels_B: B, whether it happened.
        parts: P; the parts have equally many cases, or one more.
        weights_B: B weights >= 0; 1 each by default.

    Returns:
        P ratios, 1 where what was predicted came true; NaN where nothing was expected.
    """
    weights_B = np.ones(len(probabilities_B)) if weights_B is None else weights_B
    ratios_P = np.full(parts, np.nan)
    for part, at in enumerate(np.array_split(np.argsort(probabilities_B, kind="stable"), parts)):
        expected = float((probabilities_B[at] * weights_B[at]).sum())
        if expected > 0:
            ratios_P[part] = float(weights_B[at][labels_B[at]].sum()) / expected
    return ratios_P
