"""From what models answered to measures, their intervals and the differences between models.

Shapes: B cases, N items, K places, M measures.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Int32, Int64
from endcap.metrics.baskets import basket_hr_at, basket_ndcg_at, basket_recall_at
from endcap.metrics.intervals import interval, paired_interval
from endcap.metrics.lists import diversity, gini, novelty, popularity
from endcap.metrics.ranking import UNDEFINED, coverage, hr_at, mean_defined, mrr_at, ndcg_at
from endcap.models.evaluation import Difference, ModelMeasures, Slice
from endcap.models.slices import LEAST_CASES

__all__ = ["REFERENCES", "Answers", "Measuring", "accuracy_by_case"]

REFERENCES = ("item_markov", "popular")
"""What every other model is compared with."""

_FUNCTIONS: Mapping[str, Callable[[Int64, int], NDArray[np.float64]]] = {"hr": hr_at, "ndcg": ndcg_at, "mrr": mrr_at}
_OF_BASKETS: Mapping[str, Callable[[Int64, Int64, int], NDArray[np.float64]]] = {
    "hr": basket_hr_at, "ndcg": basket_ndcg_at, "recall": basket_recall_at
}  # fmt: skip


@dataclass(frozen=True)
class Answers:
    """What a model answered.

    Args:
        ranks: B ranks of the targets, or T of all right items; see `metrics.ranking.ranks_of`.
        top: B x K best items; -1 where there were no more candidates.
        starts: B+1 offsets into the T ranks, where a case has several right items; None where each has one.
    """

    ranks: Int64
    top: Int32
    starts: Int64 | None = None

    def accuracy(self, ks: tuple[int, ...]) -> dict[str, NDArray[np.float64]]:
        """Return measure -> its B values, NaN where undefined: hr, ndcg, and mrr, of several right items recall."""
        if self.starts is None:
            return accuracy_by_case(self.ranks, ks)
        # A right item that is no candidate (--seen drop) is none of the basket's.
        counts_T = self.ranks != UNDEFINED
        starts = np.concatenate([[0], np.cumsum(counts_T)])[self.starts]
        return {f"{name}@{k}": of(self.ranks[counts_T], starts, k) for name, of in _OF_BASKETS.items() for k in ks}


@dataclass(frozen=True)
class Measuring:
    """How answers are measured.

    Args:
        users: B user numbers, the unit of the bootstrap.
        train_counts: N numbers of events in training.
        category_of: N numbers of categories, -1 where unknown; None where the catalogue has none.
        ks: Lengths of lists, ascending.
        seed: Of the bootstrap.
        resamples: Of the bootstrap.
    """

    users: Int64
    train_counts: Int64
    category_of: Int64 | None
    ks: tuple[int, ...]
    seed: int
    resamples: int

    def measures(self, answers: Answers) -> ModelMeasures:
        """Return all measures of one model: of its hits, of its lists, and those of all lists together."""
        by_case = {**answers.accuracy(self.ks), **self._lists_by_case(answers)}
        of_all = {
            **{f"coverage@{k}": coverage(answers.top[:, :k], len(self.train_counts)) for k in self.ks},
            **{f"gini@{k}": gini(answers.top[:, :k], len(self.train_counts)) for k in self.ks},
        }
        found = self._means(by_case, slice(None))
        return ModelMeasures({**found.values, **of_all}, found.intervals, found.undefined)

    def differences(self, answers: Mapping[str, Answers]) -> tuple[Difference, ...]:
        """Compare each model with the references; a reference only with the weaker one after it."""
        return self._differences({name: each.accuracy(self.ks) for name, each in answers.items()}, None)

    def slices(self, answers: Mapping[str, Answers], chosen: Mapping[str, NDArray[np.bool_]]) -> tuple[Slice, ...]:
        """Measure all models on the B cases that each slice chooses; one that is too small has no measures."""
        by_case = {model: each.accuracy(self.ks) for model, each in answers.items()}
        return tuple(self._slice(name, by_case, chosen_B) for name, chosen_B in chosen.items())

    def _slice(
        self, name: str, by_case: Mapping[str, Mapping[str, NDArray[np.float64]]], chosen_B: NDArray[np.bool_]
    ) -> Slice:
        num_cases, num_users = int(np.count_nonzero(chosen_B)), len(np.unique(self.users[chosen_B]))
        if num_cases < LEAST_CASES:
            return Slice(name, num_cases, num_users, {}, ())
        models = {model: self._means(values, chosen_B) for model, values in by_case.items()}
        return Slice(name, num_cases, num_users, models, self._differences(by_case, chosen_B))

    def _lists_by_case(self, answers: Answers) -> dict[str, NDArray[np.float64]]:
        tops = {k: answers.top[:, :k] for k in self.ks}
        found = {f"novelty@{k}": novelty(top_BK, self.train_counts) for k, top_BK in tops.items()}
        found |= {f"popularity@{k}": popularity(top_BK, self.train_counts) for k, top_BK in tops.items()}
        if self.category_of is not None:
            found |= {f"diversity@{k}": diversity(top_BK, self.category_of) for k, top_BK in tops.items() if k > 1}
        return found

    def _means(self, by_case: Mapping[str, NDArray[np.float64]], chosen_B: NDArray[np.bool_] | slice) -> ModelMeasures:
        values_MB = np.stack(list(by_case.values()))[:, chosen_B]
        ends_M2 = interval(values_MB, self.users[chosen_B], seed=self.seed, resamples=self.resamples)
        means = {name: mean_defined(values_B) for name, values_B in zip(by_case, values_MB, strict=True)}
        return ModelMeasures(
            {name: mean for name, (mean, _) in means.items()},
            _named(by_case, ends_M2),
            {name: count for name, (_, count) in means.items() if count},
        )

    def _differences(
        self, by_model: Mapping[str, Mapping[str, NDArray[np.float64]]], chosen_B: NDArray[np.bool_] | None
    ) -> tuple[Difference, ...]:
        chosen = slice(None) if chosen_B is None else chosen_B
        found = []
        for first in by_model:
            stronger = REFERENCES[: REFERENCES.index(first) + 1] if first in REFERENCES else ()
            for second in REFERENCES:
                if second in by_model and second not in stronger and second != first:
                    means_M, ends_M2 = paired_interval(
                        np.stack(list(by_model[first].values()))[:, chosen],
                        np.stack(list(by_model[second].values()))[:, chosen],
                        self.users[chosen],
                        seed=self.seed,
                        resamples=self.resamples,
                    )
                    values = dict(zip(by_model[first], means_M.tolist(), strict=True))
                    found.append(Difference(first, second, values, _named(by_model[first], ends_M2)))
        return tuple(found)


def accuracy_by_case(ranks: Int64, ks: tuple[int, ...]) -> dict[str, NDArray[np.float64]]:
    """Return measure -> its B values, NaN where undefined.

    >>> {name: values.tolist() for name, values in accuracy_by_case(np.array([0, 1]), (1,)).items()}
    {'hr@1': [1.0, 0.0], 'ndcg@1': [1.0, 0.0], 'mrr@1': [1.0, 0.0]}
    """
    return {f"{name}@{k}": function(ranks, k) for name, function in _FUNCTIONS.items() for k in ks}


def _named(names: Mapping[str, object], ends_M2: NDArray[np.float64]) -> dict[str, tuple[float, float]]:
    return {name: (low, high) for name, (low, high) in zip(names, ends_M2.tolist(), strict=True)}
