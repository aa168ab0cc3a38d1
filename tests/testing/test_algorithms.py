"""The suite must find what is wrong: each algorithm here breaks one rule, and the test of that rule fails."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict

from endcap.models.item_markov import ItemMarkov
from endcap.models.popular import PopularScorer
from endcap.testing.algorithms import AlgorithmConformance
from endcap.testing.worlds import planted_catalogue, planted_sequences


class _Answers(PopularScorer):
    """Scores that depend on nothing, or on the wrong thing."""

    def score(self, queries):
        scores = np.zeros((len(queries), 12), np.float32)
        scores[:, 0] = np.nan if self.kind == "nan" else len(queries)
        if self.kind == "array":
            scores[:, 0] = 0 if queries.events is None else queries.events[0]
        return scores.astype(np.float64) if self.kind == "double" else scores


class _Recipe(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["nan", "batch", "double", "random", "array"]

    def fit(self, sequences, catalogue, *, seed):  # noqa: ARG002 - a recipe's form
        counts = np.random.default_rng().random(12) if self.kind == "random" else np.zeros(12)
        return _Answers(counts.astype(np.float32), self.kind)


def suite_of(kind):
    return type("Suite", (AlgorithmConformance,), {"recipe": _Recipe(kind=kind)})()


def fitted(suite):
    return suite.recipe.fit(planted_sequences(), planted_catalogue(), seed=1)


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        ("nan", "test_scores_are_finite_also_for_a_new_visitor"),
        ("batch", "test_batching_does_not_matter"),
        ("nan", "test_a_question_may_tell_what_was_done_and_when"),
        ("batch", "test_a_question_may_tell_what_was_done_and_when"),
        ("array", "test_what_was_done_and_when_begins_with_the_history"),
        ("double", "test_scores_are_one_float32_for_each_query_and_item"),
    ],
)
def test_wrong_scores_are_found(kind, test):
    suite = suite_of(kind)
    with pytest.raises(AssertionError):
        getattr(suite, test)(fitted(suite))


def test_a_fit_that_cannot_be_repeated_is_found(tmp_path: Path):
    suite = suite_of("random")
    with pytest.raises(AssertionError):
        suite.test_the_same_data_and_seed_give_the_same_bytes(fitted(suite), tmp_path)


def test_an_algorithm_that_learns_nothing_is_found():
    with pytest.raises(AssertionError):
        suite_of("batch").test_it_beats_popularity_on_the_planted_world()


def test_an_algorithm_that_learns_passes():
    type("Suite", (AlgorithmConformance,), {"recipe": ItemMarkov()})().test_it_beats_popularity_on_the_planted_world()
