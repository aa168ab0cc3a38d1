"""Fit recipes on what came before, ask for what came after, and measure over the full catalogue.

Shapes: B cases, N items, K places.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from endcap.core.clock import Clock, steady_clock
from endcap.core.errors import ModelError
from endcap.core.sequences import Catalogue, Int64, Sequences
from endcap.metrics.baskets import ranks_of_several
from endcap.metrics.ranking import ranks_of, top_items
from endcap.models.budget import Budget, NotFitted, in_order_of_cost
from endcap.models.evaluation import Evaluation
from endcap.models.fitting import fitted
from endcap.models.measuring import REFERENCES, Answers, Measuring
from endcap.models.next_basket import BasketCases, BasketSplit, next_basket
from endcap.models.protocol import Algorithm, Scorer
from endcap.models.protocols import Cases, Protocol, Split, keep, leave_one_out, session_next, time
from endcap.models.slices import Segment, slices_of, slices_of_baskets
from endcap.models.training.settings import TrainingRun, TrainingSettings

__all__ = ["REFERENCES", "Answers", "Asking", "answer", "evaluate", "parts_of", "split_by"]

Seen = Literal["keep", "drop"]
Asking = Protocol | Literal["next_basket"]
"""A next item, or all items of a next basket."""

_CELLS = 2**23
"""Cases x items scored at once: 32 MiB."""
_OF_A_BASKET = 8
"""So many fewer baskets at once: each right item gets a row of its own."""


def evaluate(  # noqa: PLR0913 - each of them must be said beside a number
    recipes: Mapping[str, Algorithm],
    sequences: Sequences,
    catalogue: Catalogue,
    *,
    protocol: Asking,
    split_us: int,
    ks: tuple[int, ...],
    seed: int,
    resamples: int,
    seen: Seen = "keep",
    segment: Segment | None = None,
    may_fail: frozenset[str] = frozenset(),
    budget: Budget | None = None,
    clock: Clock = steady_clock,
    training: TrainingSettings | None = None,
    scratch: Path | None = None,
) -> Evaluation:
    """Fit each recipe on the training part and measure it on the cases.

    Args:
        recipes: Name -> recipe; `item_markov` and `popular` are what others are compared with.
        sequences: S sequences: sessions for session_next.
        catalogue: N items.
        protocol: How to split and what to ask; see `protocols` and `next_basket`.
        split_us: The instant of the split; leave_one_out does not need it.
        ks: Lengths of lists, ascending.
        seed: Of fitting and of the bootstrap.
        resamples: Of the bootstrap.
        seen: Whether items of the history stay candidates ("keep") or not ("drop").
        segment: What the sequences' `segments` are; each value becomes a slice.
        may_fail: Names of recipes that are told among `not_fitted` where they cannot be fitted.
        budget: Which recipes are fitted, and in which order (see `budget`); None fits all.
        clock: Measures the seconds of a fit.
        training: How recipes are trained that are trained by steps; None as they are by default.
        scratch: Where processes that share a fit are handed what they learn from; None as for `TrainingRun`.

    Returns:
        The measures; all NaN when there is no case.

    Raises:
        ModelError: A recipe that may not fail cannot be fitted on the training part.
    """
    split = parts_of(protocol, sequences, split_us)
    training_run = TrainingRun(training or TrainingSettings(), scratch=scratch)
    run = _Run(recipes, split, catalogue, ks[-1], seen, seed, clock, training_run)
    answers, fit_s, not_fitted = run.all_answers(budget, may_fail)
    train_counts = np.bincount(split.train.items, minlength=len(catalogue)).astype(np.int64)
    measuring = Measuring(split.cases.users, train_counts, _category_of(catalogue), ks, seed, resamples)
    return Evaluation(
        protocol={
            "name": protocol, "split_us": None if protocol == "leave_one_out" else split_us, "seen": seen,
            "ks": list(ks), "seed": seed, "resamples": resamples,
        },
        counts=_counts(split, catalogue, next(iter(answers.values()))),
        models={name: measuring.measures(found) for name, found in answers.items()},
        differences=measuring.differences(answers),
        slices=measuring.slices(answers, _slices(split, train_counts, segment)),
        fit_s=fit_s,
        not_fitted=not_fitted,
    )  # fmt: skip


def parts_of(protocol: Asking, sequences: Sequences, split_us: int) -> Split | BasketSplit:
    """Split sequences under a protocol; see `protocols` and `next_basket`."""
    if protocol == "next_basket":
        return next_basket(sequences, split_us=split_us)
    return split_by(protocol, sequences, split_us)


def split_by(protocol: Protocol, sequences: Sequences, split_us: int) -> Split:
    """Split sequences under a protocol; see `protocols`."""
    if protocol == "session_next":
        return session_next(sequences, split_us=split_us)
    if protocol == "time":
        return time(sequences, split_us=split_us)
    return leave_one_out(sequences)


def answer(scorer: Scorer, cases: Cases | BasketCases, num_items: int, *, count: int, seen: Seen = "keep") -> Answers:
    """Ask a model all cases, in batches.

    Args:
        scorer: A fitted model.
        cases: B cases.
        num_items: N.
        count: K, how many best items to keep of each answer.
        seen: Whether items of the history stay candidates.
    """
    ranks, top = [np.zeros(0, np.int64)], [np.zeros((0, min(count, num_items)), np.int32)]
    step = max(1, _CELLS // num_items // (_OF_A_BASKET if isinstance(cases, BasketCases) else 1))
    for start in range(0, len(cases), step):
        stop = min(start + step, len(cases))
        scores_BN = np.require(scorer.score(cases.queries(start, stop)), np.float32, ["W"])
        if seen == "drop":
            scores_BN[cases.seen(start, stop)] = -np.inf
        ranks.append(_ranks(cases, start, stop, scores_BN))
        top.append(top_items(scores_BN, count))
    return Answers(np.concatenate(ranks), np.concatenate(top), cases.starts if isinstance(cases, BasketCases) else None)


def _ranks(cases: Cases | BasketCases, start: int, stop: int, scores_BN: NDArray[np.float32]) -> Int64:
    """Rank the right items of cases start:stop, once what is no candidate is struck out."""
    if isinstance(cases, BasketCases):
        return ranks_of_several(scores_BN, cases.starts[start : stop + 1], cases.targets)
    masked = np.flatnonzero(cases.masked[start:stop] >= 0)
    scores_BN[masked, cases.masked[start:stop][masked]] = -np.inf
    return ranks_of(scores_BN, cases.targets[start:stop])


@dataclass(frozen=True)
class _Run:
    """What every recipe is fitted on and asked."""

    recipes: Mapping[str, Algorithm]
    split: Split | BasketSplit
    catalogue: Catalogue
    count: int
    seen: Seen
    seed: int
    clock: Clock
    run: TrainingRun

    def all_answers(
        self, budget: Budget | None, may_fail: frozenset[str]
    ) -> tuple[dict[str, Answers], dict[str, float], dict[str, NotFitted]]:
        """Return of each recipe its answers and seconds, or why there are none; in the order of the recipes."""
        answers, fit_s, not_fitted = {}, {}, {}
        for name, refused in self._in_order(budget):
            if refused is not None:
                not_fitted[name] = refused
                continue
            try:
                answers[name], fit_s[name] = self._answers(name, self.split.train, self.split.cases)
            except ModelError as error:
                if name not in may_fail:
                    raise
                not_fitted[name] = NotFitted(f"cannot be fitted: {error.what}")
        # The order of cost is one of seconds; what is told must not depend on them.
        names = [name for name in self.recipes if name in answers]
        return {name: answers[name] for name in names}, {name: fit_s[name] for name in names}, not_fitted

    def _in_order(self, budget: Budget | None) -> Iterator[tuple[str, NotFitted | None]]:
        if budget is None:
            return ((name, None) for name in self.recipes)
        first = [name for name in self.recipes if name in REFERENCES]
        return in_order_of_cost(list(self.recipes), first, self._try_on, budget)

    def _try_on(self, name: str, part: int) -> None:
        chosen_S = np.arange(len(self.split.train)) % part == 0
        train = keep(self.split.train, chosen_S[self.split.train.sequence_of()])
        self._answers(name, train, self.split.cases.every(part))

    def _answers(self, name: str, train: Sequences, cases: Cases | BasketCases) -> tuple[Answers, float]:
        started_us = self.clock()
        scorer = fitted(self.recipes[name], train, self.catalogue, seed=self.seed, run=self.run)
        fit_s = (self.clock() - started_us) / 1e6
        return answer(scorer, cases, len(self.catalogue), count=self.count, seen=self.seen), fit_s


def _category_of(catalogue: Catalogue) -> Int64 | None:
    """Return the number of each item's category, -1 where it is unknown; None where the catalogue has none."""
    if catalogue.categories is None or not any(catalogue.categories):
        return None
    names, number_N = np.unique(np.array(catalogue.categories), return_inverse=True)
    return np.where(names[number_N] == "", -1, number_N).astype(np.int64)


def _slices(split: Split | BasketSplit, train_counts_N: Int64, segment: Segment | None) -> dict[str, NDArray[np.bool_]]:
    if isinstance(split, BasketSplit):
        return slices_of_baskets(split.cases, segment)
    return slices_of(split.cases, train_counts_N, segment)


def _counts(split: Split | BasketSplit, catalogue: Catalogue, answers: Answers) -> dict[str, int]:
    cases = split.cases
    return {
        "cases": len(cases),
        "users": len(np.unique(cases.users)),
        "items": len(catalogue),
        "undefined": int(np.count_nonzero(np.isnan(answers.accuracy((1,))["ndcg@1"]))),
        "same_instant": 0 if isinstance(cases, BasketCases) else int(np.count_nonzero(cases.tied)),
        "without_history": int(np.count_nonzero(cases.ends == cases.firsts)),
        "train_sequences": len(split.train),
        "train_elements": len(split.train.items),
    }
