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
_LEAST_OF_MANY = 256
"""Cases that are asked of a catalogue of any size, where there are as many."""
_MOST_CELLS = 2**28
"""Cases x items that each member scores: ten seconds of a core, and what the member itself takes. Of more than 65,536
items fewer cases are asked."""


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
    """Hold out the latest part of the time; of many cases every n-th is asked.

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
    most = min(_MOST_CASES, max(_LEAST_OF_MANY, _MOST_CELLS // num_items))
    if ask == "next_basket":
        baskets = next_basket(sequences, split_us=split_us)
        if _is_too_little(len(baskets.cases), baskets.train):
            return None
        some = baskets.cases.every(-(-len(baskets.cases) // most))
        masked = np.full(len(some), -1, np.int32)
        return Trial(baskets.train, some.queries(), some.starts, some.targets, masked)
    split = session_next(sequences, split_us=split_us)
    if _is_too_little(len(split.cases), split.train):
        return None
    cases = split.cases.every(-(-len(split.cases) // most))
    return Trial(split.train, cases.queries(), np.arange(len(cases) + 1), cases.targets, cases.masked)


def _is_too_little(num_cases: int, train: Sequences) -> bool:
    return num_cases < _LEAST_CASES or not len(train)
