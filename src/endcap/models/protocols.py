"""Protocols of evaluation: what a model may learn from, and what it is then asked.

- `session_next`: within a session, each step to the next *different* item. Equal neighbours collapse to one; a case is
  a position at or after the split that has a successor; its history is the session so far; its current item is no
  candidate.
- `time`: everything before the split is learned; each later step of a user, over all their sessions, is a case whose
  history is all that the user did before it (nothing, for a new visitor). Equal neighbours collapse to one.
- `leave_one_out`: the last item of each user is the case, all before it is learned (validation included).

Ranking is always over the full catalogue. Shapes: S sequences, E elements, B cases.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Int32, Int64, Queries, Sequences
from endcap.models.transitions import collapsed

__all__ = ["HISTORY_LENGTH", "PROTOCOLS", "Cases", "Protocol", "Split", "keep", "leave_one_out", "session_next", "time"]

HISTORY_LENGTH = 50
"""Items of a history that a model is asked with, the latest: what the online path keeps."""

Protocol = Literal["session_next", "time", "leave_one_out"]

PROTOCOLS: tuple[str, ...] = get_args(Protocol)


@dataclass(frozen=True)
class Cases:
    """B questions with known answers. Case b's history is items[firsts[b]:ends[b]].

    Args:
        items: E item numbers that histories are parts of.
        firsts: B places where each case's history begins.
        ends: B places where it ends; equal to the beginning for a new visitor.
        targets: B item numbers that came next.
        users: B user numbers; the unit of bootstrap intervals.
        masked: B item numbers that are no candidate (the current one), -1 where there is none.
        tied: B; whether the target has the same instant as the end of its history (lines of one order), so that only
            the order of ids put it there.
    """

    items: Int32
    firsts: Int64
    ends: Int64
    targets: Int32
    users: Int64
    masked: Int32
    tied: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.targets)

    def queries(self, start: int = 0, stop: int | None = None) -> Queries:
        """Return the histories of cases start:stop as queries, at most the last HISTORY_LENGTH items of each."""
        first_B, end_B = self.firsts[start:stop], self.ends[start:stop]
        first_B = np.maximum(first_B, end_B - HISTORY_LENGTH)
        _, at = _spans(first_B, end_B)
        return Queries(np.concatenate([[0], np.cumsum(end_B - first_B)]).astype(np.int64), self.items[at])

    def seen(self, start: int = 0, stop: int | None = None) -> tuple[Int64, Int32]:
        """Return what cases start:stop have seen: case number less `start`, and item number; the whole histories."""
        case, at = _spans(self.firsts[start:stop], self.ends[start:stop])
        return case, self.items[at]


@dataclass(frozen=True)
class Split:
    """What may be learned, and what is asked.

    Args:
        train: Sequences to fit on.
        cases: Questions about what came later.
    """

    train: Sequences
    cases: Cases


def session_next(sequences: Sequences, *, split_us: int) -> Split:
    """Split within sessions: see this module's first lines.

    Args:
        sequences: Sessions, elements in order of (instant, item).
        split_us: A step is asked when its current item is at or after this instant.

    Returns:
        Train elements before the split (the early part of a session that straddles it too), and the cases.
    """
    single = keep(sequences, collapsed(sequences.items, sequences.sequence_of()))
    sequence_E = single.sequence_of()
    has_next_E = np.zeros(len(single.items), bool)
    has_next_E[:-1] = sequence_E[1:] == sequence_E[:-1]
    current = np.flatnonzero(has_next_E & (single.at_us >= split_us))
    cases = Cases(
        items=single.items,
        firsts=single.starts[sequence_E[current]],
        ends=current + 1,
        targets=single.items[current + 1],
        users=single.users[sequence_E[current]],
        masked=single.items[current],
        tied=single.at_us[current + 1] == single.at_us[current],
    )
    return Split(keep(sequences, sequences.at_us < split_us), cases)


def time(sequences: Sequences, *, split_us: int) -> Split:
    """Split all at one instant: see this module's first lines.

    Args:
        sequences: Sessions or users.
        split_us: Elements before it are learned, steps to elements at or after it are asked.
    """
    items, at_us, user_E, _ = _by_user(sequences)
    single = collapsed(items, user_E)
    items, at_us, user_E = items[single], at_us[single], user_E[single]
    cases = _cases_at(items, at_us, user_E, np.flatnonzero(at_us >= split_us))
    return Split(keep(sequences, sequences.at_us < split_us), cases)


def leave_one_out(sequences: Sequences) -> Split:
    """Ask for the last item of each user with at least two: see this module's first lines."""
    items, at_us, user_E, place_E = _by_user(sequences)
    is_last_E = np.ones(len(items), bool)
    is_last_E[:-1] = user_E[1:] != user_E[:-1]
    has_earlier_E = np.zeros(len(items), bool)
    has_earlier_E[1:] = user_E[1:] == user_E[:-1]
    last = np.flatnonzero(is_last_E & has_earlier_E)
    learned_E = np.ones(len(items), bool)
    learned_E[place_E[last]] = False
    return Split(keep(sequences, learned_E), _cases_at(items, at_us, user_E, last))


def keep(sequences: Sequences, chosen_E: NDArray[np.bool_]) -> Sequences:
    """Return the chosen elements, with all that stands beside them; sequences that are left empty go.

    Args:
        sequences: S sequences.
        chosen_E: Which of the E elements stay.
    """
    lengths_S = np.bincount(sequences.sequence_of()[chosen_E], minlength=len(sequences))
    stays_S = lengths_S > 0
    beside = {name: getattr(sequences, name) for name in _BESIDE_ELEMENTS}
    return replace(
        sequences,
        starts=np.concatenate([[0], np.cumsum(lengths_S[stays_S])]).astype(np.int64),
        items=sequences.items[chosen_E],
        at_us=sequences.at_us[chosen_E],
        users=sequences.users[stays_S],
        **{name: values[chosen_E] for name, values in beside.items() if values is not None},
    )


_BESIDE_ELEMENTS = ("weights", "negatives", "negative_p", "pool_negatives", "pool_weights")
"""What may stand beside the elements."""


def _by_user(sequences: Sequences) -> tuple[Int32, Int64, Int64, Int64]:
    """Put all elements of a user together, in time order: items, instants, users, and where each element stood."""
    user_E = sequences.users[sequences.sequence_of()]
    place_E = np.lexsort((np.arange(len(user_E)), sequences.at_us, user_E)).astype(np.int64)
    return sequences.items[place_E], sequences.at_us[place_E], user_E[place_E], place_E


def _cases_at(items: Int32, at_us: Int64, user_E: Int64, targets: Int64) -> Cases:
    """Ask for the elements at some places, with all of the user's earlier elements as history."""
    first_of = np.flatnonzero(np.concatenate([[True], user_E[1:] != user_E[:-1]])[: len(user_E)])
    group_E = np.cumsum(np.concatenate([[True], user_E[1:] != user_E[:-1]])[: len(user_E)]) - 1
    firsts = first_of[group_E[targets]].astype(np.int64)
    return Cases(
        items=items,
        firsts=firsts,
        ends=targets.astype(np.int64),
        targets=items[targets],
        users=user_E[targets],
        masked=np.full(len(targets), -1, np.int32),
        tied=(targets > firsts) & (at_us[targets] == at_us[np.maximum(targets - 1, 0)]),
    )


def _spans(first_B: Int64, end_B: Int64) -> tuple[Int64, Int64]:
    """Return for each element of the spans first:end its case and its place."""
    lengths_B = end_B - first_B
    case = np.repeat(np.arange(len(first_B), dtype=np.int64), lengths_B)
    before = np.cumsum(lengths_B) - lengths_B
    return case, np.arange(len(case), dtype=np.int64) - before[case] + first_B[case]
