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
        events: E numbers of kinds of events, of collapsed neighbours the strongest; None where the data does not tell.
        at_us: E instants; None likewise.
        segments: E numbers of what a column says, of collapsed neighbours the first; no part of what is asked.
    """

    items: Int32
    firsts: Int64
    ends: Int64
    targets: Int32
    users: Int64
    masked: Int32
    tied: NDArray[np.bool_]
    events: NDArray[np.int8] | None = None
    at_us: Int64 | None = None
    segments: Int32 | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def queries(self, start: int = 0, stop: int | None = None) -> Queries:
        """Return the histories of cases start:stop as queries, at most the last HISTORY_LENGTH items of each."""
        first_B, end_B = self.firsts[start:stop], self.ends[start:stop]
        first_B = np.maximum(first_B, end_B - HISTORY_LENGTH)
        _, at = _spans(first_B, end_B)
        return Queries(
            np.concatenate([[0], np.cumsum(end_B - first_B)]).astype(np.int64),
            self.items[at],
            None if self.events is None else self.events[at],
            None if self.at_us is None else self.at_us[at],
        )

    def every(self, part: int) -> "Cases":
        """Return every part-th question."""
        of_cases = ("firsts", "ends", "targets", "users", "masked", "tied")
        return replace(self, **{name: getattr(self, name)[::part] for name in of_cases})

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
    single = _single(sequences)
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
        events=single.events,
        at_us=single.at_us,
        segments=single.segments,
    )
    return Split(keep(sequences, sequences.at_us < split_us), cases)


def time(sequences: Sequences, *, split_us: int) -> Split:
    """Split all at one instant: see this module's first lines.

    Args:
        sequences: Sessions or users.
        split_us: Elements before it are learned, steps to elements at or after it are asked.
    """
    whole, _ = _by_user(sequences)
    single = _single(whole)
    cases = _cases_at(single, np.flatnonzero(single.at_us >= split_us))
    return Split(keep(sequences, sequences.at_us < split_us), cases)


def leave_one_out(sequences: Sequences) -> Split:
    """Ask for the last item of each user with at least two: see this module's first lines."""
    whole, place_E = _by_user(sequences)
    last = whole.starts[1:] - 1
    last = last[whole.lengths() > 1]
    learned_E = np.ones(len(place_E), bool)
    learned_E[place_E[last]] = False
    return Split(keep(sequences, learned_E), _cases_at(whole, last))


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


_BESIDE_ELEMENTS = ("weights", "events", "negatives", "negative_p", "pool_negatives", "pool_weights", "segments")
"""What may stand beside the elements."""


def _by_user(sequences: Sequences) -> tuple[Sequences, Int64]:
    """Put all elements of a user together, in time order: a sequence a user, and where each element stood."""
    user_E = sequences.users[sequences.sequence_of()]
    place_E = np.lexsort((np.arange(len(user_E)), sequences.at_us, user_E)).astype(np.int64)
    users, lengths = np.unique(user_E, return_counts=True)
    whole = Sequences(
        starts=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        items=sequences.items[place_E],
        at_us=sequences.at_us[place_E],
        users=users,
        events=None if sequences.events is None else sequences.events[place_E],
        segments=None if sequences.segments is None else sequences.segments[place_E],
    )
    return whole, place_E


def _single(sequences: Sequences) -> Sequences:
    """Collapse equal neighbours of a sequence to their first; its kind of event is the strongest of theirs."""
    stays_E = collapsed(sequences.items, sequences.sequence_of())
    single = keep(sequences, stays_E)
    if sequences.events is None or not len(sequences.events):
        return single
    return replace(single, events=np.maximum.reduceat(sequences.events, np.flatnonzero(stays_E)))


def _cases_at(whole: Sequences, targets: Int64) -> Cases:
    """Ask for the elements at some places, with all of the user's earlier elements as history."""
    user_of = whole.sequence_of()[targets]
    firsts = whole.starts[user_of]
    return Cases(
        items=whole.items,
        firsts=firsts,
        ends=targets.astype(np.int64),
        targets=whole.items[targets],
        users=whole.users[user_of],
        masked=np.full(len(targets), -1, np.int32),
        tied=(targets > firsts) & (whole.at_us[targets] == whole.at_us[np.maximum(targets - 1, 0)]),
        events=whole.events,
        at_us=whole.at_us,
        segments=whole.segments,
    )


def _spans(first_B: Int64, end_B: Int64) -> tuple[Int64, Int64]:
    """Return for each element of the spans first:end its case and its place."""
    lengths_B = end_B - first_B
    case = np.repeat(np.arange(len(first_B), dtype=np.int64), lengths_B)
    before = np.cumsum(lengths_B) - lengths_B
    return case, np.arange(len(case), dtype=np.int64) - before[case] + first_B[case]
