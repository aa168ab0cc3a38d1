"""Two fitted models on the same questions, and a verdict by one written rule.

Slices are judged by the same rule; one with fewer than `LEAST_CASES` cases cannot tell.

The models may know other items: an item that one of them does not know is missing from its histories and never among
its answers. Shapes: B cases, N items, O items of the other catalogue, M measures.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Int32, Int64
from endcap.metrics.intervals import interval, paired_interval
from endcap.metrics.ranking import mean_defined, ranks_of
from endcap.models.measuring import accuracy_by_case
from endcap.models.other_items import renumbered
from endcap.models.protocol import Scorer
from endcap.models.protocols import Cases
from endcap.models.slices import LEAST_CASES, slices_of

__all__ = ["SAME_WITHIN", "SideBySide", "side_by_side", "verdict"]

SAME_WITHIN = 0.05
"""Share of the old model's measure within which a difference is none that a shop would see."""

_CELLS = 2**23
_DIGITS = 6


@dataclass(frozen=True)
class SideBySide:
    """What two models came to on the same cases.

    Args:
        cases: How many there were.
        users: Of how many users.
        measures: Measure -> `old`, `new`, `difference` (new - old) and the ends of its 95 % interval; None: undefined.
        measure: The one that the verdict is about.
        verdict: better, worse, same or cannot tell: see `verdict`.
        slices: Name of a slice (see `models.slices`) -> the same on its cases; empty in a slice.
    """

    cases: int
    users: int
    measures: Mapping[str, Mapping[str, Any]]
    measure: str
    verdict: str
    slices: Mapping[str, "SideBySide"] = field(default_factory=dict)


def side_by_side(  # noqa: PLR0913 - each of them must be said beside a number
    old: Scorer,
    new: Scorer,
    cases: Cases,
    *,
    to_old_N: Int32,
    num_old: int,
    train_counts_N: Int64,
    ks: tuple[int, ...],
    measure: str,
    seed: int,
    resamples: int,
) -> SideBySide:
    """Ask two models the same cases.

    Args:
        old: The model in force; it knows `num_old` items.
        new: The other; its N items are those of the cases.
        cases: B cases.
        to_old_N: Number of each item in the old catalogue, -1 where it is not in it.
        num_old: O.
        train_counts_N: N numbers of events that the new model has learnt from: which items are cold.
        ks: Lengths of lists.
        measure: What the verdict is about, such as ndcg@10.
        seed: Of the bootstrap.
        resamples: Of the bootstrap.
    """
    ranks = {"old": _ranks(old, cases, to_old_N, num_old), "new": _ranks(new, cases, None, len(to_old_N))}
    values = {which: accuracy_by_case(found, ks) for which, found in ranks.items()}

    def on(chosen_B: NDArray[np.bool_]) -> SideBySide:
        chosen = {which: np.stack(list(found.values()))[:, chosen_B] for which, found in values.items()}
        measures = _measures(list(values["new"]), chosen, cases.users[chosen_B], seed=seed, resamples=resamples)
        num_cases, told = int(np.count_nonzero(chosen_B)), measures[measure]
        said = verdict(told["old"], *told["ci"]) if num_cases >= LEAST_CASES else "cannot tell"
        return SideBySide(num_cases, len(np.unique(cases.users[chosen_B])), measures, measure, said)

    slices = {name: on(chosen_B) for name, chosen_B in slices_of(cases, train_counts_N).items()}
    return replace(on(np.ones(len(cases), bool)), slices=slices)


def _measures(
    names: list[str], values: Mapping[str, NDArray[np.float64]], users: Int64, *, seed: int, resamples: int
) -> dict[str, dict[str, Any]]:
    """Return for each of M measures the two means, their difference and all intervals."""
    means_M, ends_M2 = paired_interval(values["new"], values["old"], users, seed=seed, resamples=resamples)
    own = {which: interval(values[which], users, seed=seed, resamples=resamples) for which in values}
    return {
        name: {
            **{which: _plain(mean_defined(values[which][at])[0]) for which in values},
            **{f"{which}_ci": [_plain(end) for end in own[which][at]] for which in values},
            "difference": _plain(means_M[at]), "ci": [_plain(end) for end in ends_M2[at]],
        }
        for at, name in enumerate(names)
    }  # fmt: skip


def verdict(old: float | None, low: float | None, high: float | None) -> str:
    """Judge a difference by its 95 % interval.

    better: the interval lies above zero. worse: below. same: it holds zero and lies within `SAME_WITHIN` of the old
    measure. cannot tell: all else, and where there is no interval.

    >>> verdict(0.2, 0.01, 0.05), verdict(0.2, -0.05, -0.01), verdict(0.2, -0.009, 0.01), verdict(0.2, -0.1, 0.1)
    ('better', 'worse', 'same', 'cannot tell')
    """
    if old is None or low is None or high is None:
        return "cannot tell"
    if low > 0:
        return "better"
    if high < 0:
        return "worse"
    return "same" if max(-low, high) <= SAME_WITHIN * old else "cannot tell"


def _ranks(scorer: Scorer, cases: Cases, to_old_N: Int32 | None, num_items: int) -> Int64:
    """Rank the targets of all cases among the N items."""
    found, step = [np.zeros(0, np.int64)], max(1, _CELLS // max(1, num_items))
    for start in range(0, len(cases), step):
        stop = min(start + step, len(cases))
        queries = cases.queries(start, stop)
        if to_old_N is None:
            scores_BN = np.require(scorer.score(queries), np.float32, ["W"])
        else:
            scores_BO = scorer.score(renumbered(queries, to_old_N))
            scores_BN = np.full((stop - start, len(to_old_N)), np.nan, np.float32)
            scores_BN[:, to_old_N >= 0] = scores_BO[:, to_old_N[to_old_N >= 0]]
        masked = np.flatnonzero(cases.masked[start:stop] >= 0)
        scores_BN[masked, cases.masked[start:stop][masked]] = -np.inf
        found.append(ranks_of(scores_BN, cases.targets[start:stop]))
    return np.concatenate(found)


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), _DIGITS)
