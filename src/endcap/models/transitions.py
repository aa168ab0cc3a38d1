"""Which item followed which: forward co-occurrence counted in the order of sequences, as sparse rows.

Shapes: N items, E elements, P pairs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Int32, Int64, Sequences

__all__ = ["Transitions", "collapsed", "count_transitions"]


@dataclass(frozen=True)
class Transitions:
    """A sparse N x N matrix by rows: what followed each item, and how much.

    Args:
        starts: N+1 offsets; row a is starts[a]:starts[a+1].
        items: P item numbers that followed, ascending within a row.
        weights: P sums > 0.
    """

    starts: Int64
    items: Int32
    weights: NDArray[np.float32]

    @classmethod
    def of(cls, pairs: Int64, weights: NDArray[Any], num_items: int) -> Self:
        """Make the matrix of weighed pairs.

        Args:
            pairs: P numbers, first item x N + second, ascending and each once.
            weights: P weights.
            num_items: N.
        """
        lengths = np.bincount(pairs // num_items, minlength=num_items)
        return cls(
            starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            items=(pairs % num_items).astype(np.int32),
            weights=weights.astype(np.float32),
        )

    @classmethod
    def summed(cls, keys: Sequence[Int64], sums: Sequence[NDArray[Any]], num_items: int) -> Self:
        """Make the matrix of several lists of pairs, adding up what stands in more than one."""
        pairs, at = np.unique(np.concatenate([np.zeros(0, np.int64), *keys]), return_inverse=True)
        total = np.bincount(at, weights=np.concatenate([np.zeros(0), *sums]), minlength=len(pairs))
        return cls.of(pairs, total, num_items)

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take what `to_arrays` gave out of a model's arrays."""
        return cls(arrays["starts"], arrays["items"], arrays["weights"])

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the matrix as arrays by name, to be saved."""
        return {"starts": self.starts, "items": self.items, "weights": self.weights}

    def rows(self) -> Int64:
        """Return for each of the P pairs the item that came first."""
        return np.repeat(np.arange(len(self.starts) - 1, dtype=np.int64), np.diff(self.starts))

    def stored(self, items: Int32) -> tuple[Int64, Int64]:
        """Return, over the rows of some items, which of them each pair belongs to and where the pair is stored."""
        starts = self.starts[items]
        lengths = self.starts[items + 1] - starts
        rows = np.repeat(np.arange(len(items), dtype=np.int64), lengths)
        return rows, np.arange(len(rows), dtype=np.int64) - (np.cumsum(lengths) - lengths - starts)[rows]


def collapsed(items: Int32, group_E: Int64) -> NDArray[np.bool_]:
    """Return which elements stay when equal neighbours of the same group collapse to their first."""
    stays_E = np.ones(len(items), bool)
    stays_E[1:] = (items[1:] != items[:-1]) | (group_E[1:] != group_E[:-1])
    return stays_E


def count_transitions(sequences: Sequences, num_items: int, *, max_gap: int) -> Transitions:
    """Count how much each item followed each other one within a sequence.

    Equal neighbours collapse first. A pair that is g steps apart adds 1/g times the later element's weight, for
    g = 1..max_gap; an item does not follow itself.

    Args:
        sequences: S sequences.
        num_items: N.
        max_gap: The widest gap, at least 1.

    Returns:
        The sums; rows without successors are empty.
    """
    group_E = sequences.sequence_of()
    stays_E = collapsed(sequences.items, group_E)
    items, group_E = sequences.items[stays_E].astype(np.int64), group_E[stays_E]
    weights = np.ones(len(items)) if sequences.weights is None else sequences.weights[stays_E].astype(np.float64)
    keys: list[Int64] = []
    sums: list[NDArray[Any]] = []
    for gap in range(1, max_gap + 1):
        same = (group_E[gap:] == group_E[:-gap]) & (weights[gap:] > 0)
        key, at = np.unique((items[:-gap] * num_items + items[gap:])[same], return_inverse=True)
        keys.append(key)
        sums.append(np.bincount(at, weights=weights[gap:][same] / gap, minlength=len(key)))
    return Transitions.summed(keys, sums, num_items)
