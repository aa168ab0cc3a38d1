"""The held-out questions by which a blend chooses its weights: of the latest part of the time, evenly spread.

Shapes: B cases, T right items over all cases, N items.
"""

from dataclasses import dataclass

import numpy as np

from endcap.core.sequences import Int32, Int64, Queries, Sequences
from endcap.models.next_basket import next_basket
from endcap.models.protocols import session_next

__all__ = ["Trial", "trial_of"]

_LEAST_CASES = 50
_MOST_CASES = 4096
"""What weights are chosen by is known to one part in a hundred then."""
_LEAST_OF_MANY = 512
_MOST_CELLS = 2**30
"""Cases x items that each member scores: some ten seconds of a core. Of more items fewer cases are asked."""


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
    return _thinned(found, min(_MOST_CASES, max(_LEAST_OF_MANY, _MOST_CELLS // num_items)))


def _thinned(trial: Trial, most: int) -> Trial:
    """Keep so many cases, evenly spread."""
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
