"""Fit recipes on what came before, ask for what came after, and measure over the full catalogue.

Shapes: B cases, N items, K places, M measures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from endcap.core.sequences import Catalogue, Int32, Int64, Sequences
from endcap.metrics.intervals import interval, paired_interval
from endcap.metrics.ranking import UNDEFINED, coverage, hr_at, mean_defined, mrr_at, ndcg_at, ranks_of, top_items
from endcap.models.evaluation import Difference, Evaluation, ModelMeasures
from endcap.models.protocol import Algorithm, Scorer
from endcap.models.protocols import Cases, Protocol, Split, leave_one_out, session_next, time

__all__ = ["REFERENCES", "Answers", "answer", "evaluate", "split_by"]

REFERENCES = ("item_markov", "popular")
"""What every other model is compared with."""

Seen = Literal["keep", "drop"]

_CELLS = 2**23
"""Cases x items scored at once: 32 MiB."""
_MEASURES = {"hr": hr_at, "ndcg": ndcg_at, "mrr": mrr_at}


@dataclass(frozen=True)
class Answers:
    """What a model answered.

    Args:
        ranks: B ranks of the targets; see `metrics.ranking.ranks_of`.
        top: B x K best items; -1 where there were no more candidates.
    """

    ranks: Int64
    top: Int32


def evaluate(  # noqa: PLR0913 - each of them must be said beside a number
    recipes: Mapping[str, Algorithm],
    sequences: Sequences,
    catalogue: Catalogue,
    *,
    protocol: Protocol,
    split_us: int,
    ks: tuple[int, ...],
    seed: int,
    resamples: int,
    seen: Seen = "keep",
) -> Evaluation:
    """Fit each recipe on the training part and measure it on the cases.

    Args:
        recipes: Name -> recipe; `item_markov` and `popular` are what others are compared with.
        sequences: S sequences: sessions for session_next.
        catalogue: N items.
        protocol: How to split and what to ask; see `protocols`.
        split_us: The instant of the split; leave_one_out does not need it.
        ks: Lengths of lists, ascending.
        seed: Of fitting and of the bootstrap.
        resamples: Of the bootstrap.
        seen: Whether items of the history stay candidates ("keep") or not ("drop").

    Returns:
        The measures; all NaN when there is no case.

    Raises:
        ModelError: A recipe cannot be fitted on the training part.
    """
    split = split_by(protocol, sequences, split_us)
    answers, fit_s = {}, {}
    for name, recipe in recipes.items():
        started = perf_counter()
        scorer = recipe.fit(split.train, catalogue, seed=seed)
        fit_s[name] = perf_counter() - started
        answers[name] = answer(scorer, split.cases, len(catalogue), count=ks[-1], seen=seen)
    first = next(iter(answers.values()))
    return Evaluation(
        protocol={
            "name": protocol, "split_us": None if protocol == "leave_one_out" else split_us, "seen": seen,
            "ks": list(ks), "seed": seed, "resamples": resamples,
        },
        counts=_counts(split, catalogue, first),
        models={
            name: _measures(found, split.cases, len(catalogue), ks, seed=seed, resamples=resamples)
            for name, found in answers.items()
        },
        differences=_differences(answers, split.cases, ks, seed=seed, resamples=resamples),
        fit_s=fit_s,
    )  # fmt: skip


def split_by(protocol: Protocol, sequences: Sequences, split_us: int) -> Split:
    """Split sequences under a protocol; see `protocols`."""
    if protocol == "session_next":
        return session_next(sequences, split_us=split_us)
    if protocol == "time":
        return time(sequences, split_us=split_us)
    return leave_one_out(sequences)


def answer(scorer: Scorer, cases: Cases, num_items: int, *, count: int, seen: Seen = "keep") -> Answers:
    """Ask a model all cases, in batches.

    Args:
        scorer: A fitted model.
        cases: B cases.
        num_items: N.
        count: K, how many best items to keep of each answer.
        seen: Whether items of the history stay candidates.
    """
    ranks, top = [np.zeros(0, np.int64)], [np.zeros((0, min(count, num_items)), np.int32)]
    step = max(1, _CELLS // num_items)
    for start in range(0, len(cases), step):
        stop = min(start + step, len(cases))
        scores_BN = np.require(scorer.score(cases.queries(start, stop)), np.float32, ["W"])
        if seen == "drop":
            scores_BN[cases.seen(start, stop)] = -np.inf
        masked = np.flatnonzero(cases.masked[start:stop] >= 0)
        scores_BN[masked, cases.masked[start:stop][masked]] = -np.inf
        ranks.append(ranks_of(scores_BN, cases.targets[start:stop]))
        top.append(top_items(scores_BN, count))
    return Answers(np.concatenate(ranks), np.concatenate(top))


def _counts(split: Split, catalogue: Catalogue, answers: Answers) -> dict[str, int]:
    cases = split.cases
    return {
        "cases": len(cases),
        "users": len(np.unique(cases.users)),
        "items": len(catalogue),
        "undefined": int(np.count_nonzero(answers.ranks == UNDEFINED)),
        "same_instant": int(np.count_nonzero(cases.tied)),
        "without_history": int(np.count_nonzero(cases.ends == cases.firsts)),
        "train_sequences": len(split.train),
        "train_elements": len(split.train.items),
    }


def _by_case(answers: Answers, ks: tuple[int, ...]) -> tuple[list[str], NDArray[np.float64]]:
    """Return the names of M measures and their M x B values."""
    names = [f"{measure}@{k}" for measure in _MEASURES for k in ks]
    return names, np.stack([function(answers.ranks, k) for function in _MEASURES.values() for k in ks])


def _measures(
    answers: Answers, cases: Cases, num_items: int, ks: tuple[int, ...], *, seed: int, resamples: int
) -> ModelMeasures:
    names, values_MB = _by_case(answers, ks)
    ends_M2 = interval(values_MB, cases.users, seed=seed, resamples=resamples)
    values = {name: mean_defined(values_B)[0] for name, values_B in zip(names, values_MB, strict=True)}
    covered = {f"coverage@{k}": coverage(answers.top[:, :k], num_items) for k in ks}
    return ModelMeasures({**values, **covered}, _named(names, ends_M2))


def _differences(
    answers: Mapping[str, Answers], cases: Cases, ks: tuple[int, ...], *, seed: int, resamples: int
) -> tuple[Difference, ...]:
    """Compare each model with the references; a reference only with the weaker one after it."""
    found = []
    for first in answers:
        stronger = REFERENCES[: REFERENCES.index(first) + 1] if first in REFERENCES else ()
        for second in REFERENCES:
            if second in answers and second not in stronger and second != first:
                names, first_MB = _by_case(answers[first], ks)
                _, second_MB = _by_case(answers[second], ks)
                means_M, ends_M2 = paired_interval(first_MB, second_MB, cases.users, seed=seed, resamples=resamples)
                values = dict(zip(names, means_M.tolist(), strict=True))
                found.append(Difference(first, second, values, _named(names, ends_M2)))
    return tuple(found)


def _named(names: list[str], ends_M2: NDArray[np.float64]) -> dict[str, tuple[float, float]]:
    return {name: (low, high) for name, (low, high) in zip(names, ends_M2.tolist(), strict=True)}
