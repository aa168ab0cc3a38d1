"""The protocol `next_basket`: given all that a user bought before, which items does the next basket hold?

A basket is what a user has at one instant, as the lines of an order are told. Everything before the split is learned, a
user's baskets one after the other as one sequence; each basket at or after the split is a case whose history is all of
the user's earlier baskets (nothing, for a new user), and every different item of it is right. What was bought before
stays a candidate: a repeat counts as a hit. Ranking is over the full catalogue.

Shapes: S sequences, E elements, B cases, T right items over all cases, N items.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Int32, Int64, Queries, Sequences
from endcap.metrics.baskets import ranks_of_several
from endcap.models.protocol import Scorer
from endcap.models.protocols import keep

__all__ = ["BasketCases", "BasketSplit", "basket_ranks", "next_basket"]

_AT_ONCE = 64
"""Cases that are looked at together: each of their right items has a row of N scores."""


@dataclass(frozen=True)
class BasketCases:
    """B questions with several right answers each. Case b's history is histories.items[firsts[b]:ends[b]].

    Args:
        histories: A sequence a user, of all their baskets in order of time.
        firsts: B places where each case's history begins.
        ends: B places where it ends, and its basket begins.
        starts: B+1 offsets into `targets`.
        targets: T different items of each basket, ascending.
        users: B user numbers; the unit of bootstrap intervals.
    """

    histories: Sequences
    firsts: Int64
    ends: Int64
    starts: Int64
    targets: Int32
    users: Int64

    def __len__(self) -> int:
        return len(self.ends)

    def queries(self, start: int = 0, stop: int | None = None) -> Queries:
        """Return the whole histories of cases start:stop as queries."""
        first_B, lengths_B = self.firsts[start:stop], (self.ends - self.firsts)[start:stop]
        starts = np.concatenate([[0], np.cumsum(lengths_B)]).astype(np.int64)
        at = np.arange(starts[-1]) - np.repeat(starts[:-1] - first_B, lengths_B)
        whole = self.histories
        return Queries(starts, whole.items[at], None if whole.events is None else whole.events[at], whole.at_us[at])

    def every(self, part: int) -> "BasketCases":
        """Return every part-th question."""
        stays_T = self.case_of() % part == 0
        starts = np.concatenate([[0], np.cumsum(np.diff(self.starts)[::part])]).astype(np.int64)
        of_cases = {name: getattr(self, name)[::part] for name in ("firsts", "ends", "users")}
        return replace(self, starts=starts, targets=self.targets[stays_T], **of_cases)

    def seen(self, start: int = 0, stop: int | None = None) -> tuple[Int64, Int32]:
        """Return what cases start:stop have seen: case number less `start`, and item number; the whole histories."""
        queries = self.queries(start, stop)
        return np.repeat(np.arange(len(queries)), np.diff(queries.starts)), queries.items

    def case_of(self) -> Int64:
        """Return the case of each of the T right items."""
        return np.repeat(np.arange(len(self)), np.diff(self.starts))

    def are_repeats(self) -> NDArray[np.bool_]:
        """Return for each of the T right items whether it stands in the history of its case."""
        size = 1 + int(max(self.targets.max(initial=0), self.histories.items.max(initial=0)))
        case_T, found_T = self.case_of(), np.zeros(len(self.targets), bool)
        # Some cases at a time: their histories together are many times what the users have.
        for start in range(0, len(self), _AT_ONCE):
            case, item = self.seen(start, start + _AT_ONCE)
            seen = np.append(np.sort(case * size + item), -1)
            some = slice(*self.starts[[start, min(start + _AT_ONCE, len(self))]].tolist())
            asked = (case_T[some] - start) * size + self.targets[some]
            found_T[some] = seen[np.searchsorted(seen[:-1], asked)] == asked
        return found_T


@dataclass(frozen=True)
class BasketSplit:
    """What may be learned, and what is asked.

    Args:
        train: A sequence a user, to fit on.
        cases: Questions about baskets that came later.
    """

    train: Sequences
    cases: BasketCases


def next_basket(sequences: Sequences, *, split_us: int) -> BasketSplit:
    """Split all at one instant: see this module's first lines.

    Args:
        sequences: S sequences of users, orders or sessions, in order of their first instant.
        split_us: Elements before it are learned; baskets at or after it are asked.
    """
    whole = _by_user(sequences)
    user_E = whole.sequence_of()
    opens_E = (np.diff(user_E, prepend=-1) != 0) | (np.diff(whole.at_us, prepend=-1) != 0)
    asked_E = whole.at_us >= split_us
    ends = np.flatnonzero(opens_E & asked_E)
    targets, starts = _different(whole.items[asked_E], np.cumsum(opens_E[asked_E]) - 1)
    cases = BasketCases(whole, whole.starts[user_E[ends]], ends, starts, targets, whole.users[user_E[ends]])
    return BasketSplit(keep(whole, ~asked_E), cases)


def basket_ranks(scorer: Scorer, cases: BasketCases) -> Int64:
    """Ask a model all cases and return the T ranks of their right items; see `metrics.ranking.ranks_of`.

    Args:
        scorer: A fitted model.
        cases: B cases.
    """
    found = [np.zeros(0, np.int64)]
    for start in range(0, len(cases), _AT_ONCE):
        scores_BN = scorer.score(cases.queries(start, start + _AT_ONCE))
        found.append(ranks_of_several(scores_BN, cases.starts[start : start + _AT_ONCE + 1], cases.targets))
    return np.concatenate(found)


def _by_user(sequences: Sequences) -> Sequences:
    """Put all elements of a user together, in time order; users stand as they came, as sequences have to."""
    _, came_S, user_S = np.unique(sequences.users, return_index=True, return_inverse=True)
    came_E = came_S[user_S[sequences.sequence_of()]]
    order = np.lexsort((sequences.at_us, came_E))
    opens = np.flatnonzero(np.diff(came_E[order], prepend=-1) != 0)
    return Sequences(
        starts=np.append(opens, len(order)),
        items=sequences.items[order],
        at_us=sequences.at_us[order],
        users=sequences.users[came_E[order][opens]],
        weights=None if sequences.weights is None else sequences.weights[order],
        events=None if sequences.events is None else sequences.events[order],
        segments=None if sequences.segments is None else sequences.segments[order],
    )


def _different(items: Int32, case_E: Int64) -> tuple[Int32, Int64]:
    """Return the T different items of each case's elements, ascending, and the B+1 offsets of the cases."""
    num_items = int(items.max(initial=0)) + 1
    pairs = np.unique(case_E * num_items + items)
    lengths = np.bincount(pairs // num_items)
    return (pairs % num_items).astype(np.int32), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
