"""Weights of a blend chosen on held-out questions: never on what the blend is later measured by.

Shapes: B cases, T right items over all cases, N items, M members, W columns of a shortlist: 200 of each member, and as
many as the largest basket has right items, R.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.core.errors import Code, ModelError
from endcap.core.sequences import Int32, Int64, Queries
from endcap.metrics.baskets import basket_ndcg_at
from endcap.metrics.ranking import top_items
from endcap.models.blend_scorer import mixed, shares_of
from endcap.models.blend_trial import Trial
from endcap.models.protocol import Scorer

__all__ = ["Shortlists", "choose_weights", "shortlists_of"]

Floats = NDArray[np.float64]
Shares = NDArray[np.float32]

_STEPS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Weights that are tried for one member; the others keep their proportions."""
_ROUNDS = 3
_FIRST = 20
"""How much of a list counts when weights are compared."""
_SHORTLIST = 200
"""First items of each member that a mixture is ranked among."""
_CELLS = 2**22
"""Cases x items that are scored at once: 16 MiB for each member, and some times that while its shares are made."""
_AT_ONCE = 256
"""Cases at once, of however few items."""


@dataclass(frozen=True)
class Shortlists:
    """What each member gives the items that any of them has among its first, and the right ones.

    So much is kept of a case and no more, whatever the catalogue's size: many cases are worth more than long tails. By
    one member alone the measure is that over the whole catalogue; a mixture's may be higher than that, never lower, by
    an item among its first 20 that is not among the first 200 of any member.

    Args:
        shares_MBW: Of each member, each case and each item of its shortlist; -inf where a place is not used.
        starts: B+1 offsets into `columns_T`.
        columns_T: The place of each right item on its case's shortlist.
    """

    shares_MBW: Shares
    starts: Int64
    columns_T: Int32

    def measure(self, weights_M: Floats) -> float:
        """Return NDCG@20 of the mixture, each right item ranked among its case's shortlist.

        Args:
            weights_M: M weights >= 0 that add up to one.
        """
        ranks = [np.zeros(0, np.int64)]
        for start in range(0, len(self.starts) - 1, _AT_ONCE):
            starts = self.starts[start : start + _AT_ONCE + 1]
            mixed_BW = mixed(list(self.shares_MBW[:, start : start + _AT_ONCE]), weights_M)
            ranks.append(_first_ranks(mixed_BW, starts, self.columns_T[starts[0] : starts[-1]]))
        return round(float(np.nanmean(basket_ndcg_at(np.concatenate(ranks), self.starts, _FIRST))), 9)


def _first_ranks(scores_BW: Shares, starts: Int64, columns_T: Int32) -> Int64:
    """Return ranks as `ranks_of_several` does where they are among the first that count, else any behind these.

    One score more than count is looked at: who ties with that one stands behind, however many more do.
    """
    most = min(_FIRST + 1, scores_BW.shape[1])
    first_BK = np.partition(scores_BW, scores_BW.shape[1] - most, axis=1)[:, -most:]
    rows_T = np.repeat(np.arange(len(scores_BW)), np.diff(starts))
    not_below_T: Int64 = np.count_nonzero(first_BK[rows_T] >= scores_BW[rows_T, columns_T][:, None], axis=1)
    return not_below_T - 1


def shortlists_of(trial: Trial, members: Mapping[str, Scorer], num_items: int, *, logits: Sequence[str]) -> Shortlists:
    """Ask all members the cases of a trial, and keep what may decide.

    Args:
        trial: B cases.
        members: Name -> what was fitted on the trial's part to learn from, M of them.
        num_items: N.
        logits: Names of those whose scores are logarithms.

    Raises:
        ModelError: A member scores an item as no number.
    """
    most = int(np.diff(trial.starts).max(initial=0))
    width = len(members) * min(_SHORTLIST, num_items) + most
    shares_MBW = np.empty((len(members), len(trial.queries), width), np.float32)
    columns: list[Int32] = []
    for start, queries in _batches(trial.queries, max(1, min(_AT_ONCE, _CELLS // num_items))):
        stop = start + len(queries)
        shares = [shares_of(_scores(name, each, queries), are_logits=name in logits) for name, each in members.items()]
        masked = np.flatnonzero(trial.masked[start:stop] >= 0)
        for each_BN in shares:
            each_BN[masked, trial.masked[start:stop][masked]] = -np.inf
        right_BR = _padded(trial.starts[start : stop + 1], trial.targets, most)
        items_BW = np.sort(np.concatenate([right_BR, *(top_items(each_BN, _SHORTLIST) for each_BN in shares)], axis=1))
        shares_MBW[:, start:stop] = _given_to(items_BW, shares)
        columns.append(_places_of(right_BR, items_BW))
    return Shortlists(shares_MBW, trial.starts, np.concatenate(columns))


def _scores(name: str, member: Scorer, queries: Queries) -> Shares:
    scores_BN = member.score(queries)
    if wrong := int(np.isnan(scores_BN).sum()):
        raise ModelError(
            f"{name} scores {wrong:,} of {scores_BN.size:,} items of held-out cases as NaN, so it cannot be mixed",
            where="$.models.blend.members",
            fix=f"leave {name} out of the members, or mend its `score` until it passes endcap.testing.algorithms",
            code=Code.MODEL_NOT_FITTED,
        )
    return scores_BN


def _batches(queries: Queries, step: int) -> Iterator[tuple[int, Queries]]:
    for start in range(0, len(queries), step):
        yield start, Queries(queries.starts[start : start + step + 1], queries.items, queries.events, queries.at_us)


def _padded(starts: Int64, targets: Int32, most: int) -> Int32:
    """Return B x R right items; -1 behind the last of a case."""
    at_BR = starts[:-1, None] + np.arange(most)
    return np.where(at_BR < starts[1:, None], targets[np.minimum(at_BR, len(targets) - 1)], np.int32(-1))


def _given_to(items_BW: Int32, shares: Sequence[Shares]) -> Shares:
    """Return what M members give the items of sorted rows, M x B x W, each item where it stands first."""
    is_item_BW = items_BW >= 0
    is_item_BW[:, 1:] &= items_BW[:, 1:] != items_BW[:, :-1]
    at_BW = np.maximum(items_BW, 0)
    given = [np.where(is_item_BW, np.take_along_axis(each_BN, at_BW, axis=1), -np.inf) for each_BN in shares]
    return np.stack(given).astype(np.float32)


def _places_of(right_BR: Int32, items_BW: Int32) -> Int32:
    """Return where each right item stands first in its sorted row."""
    rows, _ = np.nonzero(right_BR >= 0)
    span = int(items_BW.max()) + 2  # one for each item, and one for the places that are not used
    keys = (np.arange(len(items_BW))[:, None] * span + items_BW + 1).ravel()
    found = np.searchsorted(keys, rows * span + right_BR[right_BR >= 0] + 1)
    places: Int32 = (found - rows * items_BW.shape[1]).astype(np.int32)
    return places


def choose_weights(shortlists: Shortlists) -> Floats:
    """Move one member's weight after the other to where NDCG@20 is best, from equal weights on.

    Args:
        shortlists: What they are measured on.

    Returns:
        M weights >= 0 that add up to one.
    """
    num = len(shortlists.shares_MBW)
    weights_M = np.full(num, 1 / num)
    if num == 1:
        return weights_M
    best = shortlists.measure(weights_M)
    for _ in range(_ROUNDS):
        before = best
        for member in range(num):
            options = [_moved(weights_M, member, step) for step in _STEPS]
            measured = [shortlists.measure(option_M) for option_M in options]
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
