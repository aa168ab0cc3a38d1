"""Weights of a blend chosen on held-out questions: never on what the blend is later measured by.

Shapes: B cases, T right items over all cases, N items, M members.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Int32, Int64, Queries, Sequences
from endcap.metrics.baskets import basket_ndcg_at, ranks_of_several
from endcap.models.blend_scorer import mixed
from endcap.models.next_basket import next_basket
from endcap.models.protocols import session_next

__all__ = ["Trial", "choose_weights", "trial_of"]

Float32 = NDArray[np.float32]
Floats = NDArray[np.float64]

_STEPS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Weights that are tried for one member; the others keep their proportions."""
_ROUNDS = 3
_LEAST_CASES = 50
_MOST_CELLS = 8_000_000
"""Cases x items of one member that are kept: 32 MiB."""
_AT_ONCE = 256


@dataclass(frozen=True)
class Trial:
    """What weights are chosen on.

    Args:
        train: What the members may learn meanwhile.
        queries: B histories.
        starts: B+1 offsets into `targets`.
        targets: T right items.
        masked: B item numbers that are no candidate, -1 where there is none.
    """

    train: Sequences
    queries: Queries
    starts: Int64
    targets: Int32
    masked: Int32

    def measure(self, shares: Sequence[Float32], weights_M: Floats) -> float:
        """Return NDCG@20 of the mixture.

        Args:
            shares: Of each of the M members, B x N.
            weights_M: M weights.
        """
        found = [np.zeros(0, np.int64)]
        for start in range(0, len(self.queries), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            mixed_BN = mixed([each[some] for each in shares], weights_M)
            masked = np.flatnonzero(self.masked[some] >= 0)
            mixed_BN[masked, self.masked[some][masked]] = -np.inf
            found.append(ranks_of_several(mixed_BN, self.starts[start : start + _AT_ONCE + 1], self.targets))
        return round(float(np.nanmean(basket_ndcg_at(np.concatenate(found), self.starts, 20))), 9)


def trial_of(sequences: Sequences, num_items: int, *, ask: str, held_out: float) -> Trial | None:
    """Hold out the latest part of the time.

    Args:
        sequences: S sequences.
        num_items: N.
        ask: session_next or next_basket: see these protocols.
        held_out: Share of the elements that are held out.

    Returns:
        None where fewer than 50 cases are left, or nothing to learn.
    """
    if not len(sequences.items):
        return None
    split_us = int(np.quantile(sequences.at_us, 1 - held_out, method="higher"))
    if ask == "next_basket":
        baskets = next_basket(sequences, split_us=split_us)
        masked = np.full(len(baskets.cases), -1, np.int32)
        cases = baskets.cases
        found = Trial(baskets.train, cases.queries(), cases.starts, cases.targets, masked)
    else:
        split = session_next(sequences, split_us=split_us)
        starts = np.arange(len(split.cases) + 1)
        found = Trial(split.train, split.cases.queries(), starts, split.cases.targets, split.cases.masked)
    if len(found.queries) < _LEAST_CASES or not len(found.train):
        return None
    return _thinned(found, max(_LEAST_CASES, _MOST_CELLS // num_items))


def choose_weights(trial: Trial, shares: Sequence[Float32]) -> Floats:
    """Move one member's weight after the other to where NDCG@20 is best, from equal weights on.

    Args:
        trial: What they are measured on.
        shares: Of each of the M members, B x N.

    Returns:
        M weights >= 0 that add up to one.
    """
    weights_M = np.full(len(shares), 1 / len(shares))
    if len(shares) == 1:
        return weights_M
    best = trial.measure(shares, weights_M)
    for _ in range(_ROUNDS):
        before = best
        for member in range(len(shares)):
            options = [_moved(weights_M, member, step) for step in _STEPS]
            measured = [trial.measure(shares, option_M) for option_M in options]
            if max(measured) > best:  # of equals the present ones stay
                best = max(measured)
                weights_M = options[measured.index(best)]
        if best == before:
            break
    return weights_M


def _moved(weights_M: Floats, member: int, weight: float) -> Floats:
    """Return the weights with one member's at another value; the others share the rest as before, or equally."""
    others_M = np.where(np.arange(len(weights_M)) == member, 0.0, weights_M)
    if not others_M.any():
        others_M = (np.arange(len(weights_M)) != member).astype(np.float64)
    moved_M: Floats = others_M / others_M.sum() * (1 - weight)
    moved_M[member] = weight
    return moved_M


def _thinned(trial: Trial, most: int) -> Trial:
    """Keep so many cases that their scores fit into memory, evenly spread."""
    if len(trial.queries) <= most:
        return trial
    kept = np.linspace(0, len(trial.queries) - 1, most).astype(np.int64)
    starts, at = _spans(trial.queries.starts, kept)
    events, at_us = trial.queries.events, trial.queries.at_us
    queries = Queries(
        starts, trial.queries.items[at], None if events is None else events[at], None if at_us is None else at_us[at]
    )
    starts, at = _spans(trial.starts, kept)
    return Trial(trial.train, queries, starts, trial.targets[at], trial.masked[kept])


def _spans(starts: Int64, kept: Int64) -> tuple[Int64, Int64]:
    """Return the offsets of some of the spans that offsets tell, and the places of their elements."""
    lengths = np.diff(starts)[kept]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return offsets, np.arange(offsets[-1]) + np.repeat(starts[kept] - offsets[:-1], lengths)
