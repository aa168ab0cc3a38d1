from itertools import count
from typing import ClassVar

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict

from endcap.core.errors import Code, ModelError, UsageError
from endcap.models.popular import Popular
from endcap.models.protocols import session_next
from endcap.models.search import search
from endcap.models.searched import Among, Between
from endcap.testing.worlds import SPLIT_US, planted_catalogue, planted_sequences

SPLIT = session_next(planted_sequences(), split_us=SPLIT_US)


class ShiftScorer:
    def __init__(self, shift):
        self.shift = shift

    def score(self, queries):
        items_B1, _ = queries.last(1)
        return -np.abs((items_B1 + self.shift) % 12 - np.arange(12)).astype(np.float32)


class Lost(BaseModel):
    """Is never fitted, for a reason that no setting would change."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    searched: ClassVar = {"shift": Between(0, 4, whole=True)}
    kind: str = "lost"
    shift: int = 3

    def fit(self, _sequences, _catalogue, *, seed):
        raise ModelError(f"rank {seed} was ended", fix="start it again", code=Code.RANK_LOST)


class Shift(BaseModel):
    """Recommends the item so many numbers further: one is what the planted world wants."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    searched: ClassVar = {"shift": Between(0, 4, whole=True), "how": Among(("well", "badly"))}
    kind: str = "shift"
    shift: int = 3
    how: str = "well"

    def fit(self, _sequences, _catalogue, *, seed):
        if self.how == "badly" and self.shift % 2:
            raise ModelError("odd", fix="be even", code=Code.MODEL_NOT_FITTED)
        return ShiftScorer(self.shift + 0 * seed)


def searched(recipe, budget_s, **more):
    seconds = count()
    return search(
        recipe, SPLIT, planted_catalogue(), seed=1, budget_s=budget_s, clock=lambda: float(next(seconds)), **more
    )


def test_the_best_settings_are_found_and_only_what_differs_is_told():
    found = searched(Shift(), 200)
    assert found.changes == {"shift": 1}
    assert found.trials[0].settings == {"shift": 3, "how": "well"}
    assert found.gain == pytest.approx(found.trials[found.best].ndcg - found.trials[0].ndcg, abs=1e-5)
    assert found.interval[0] > 0


def test_what_no_setting_could_mend_ends_the_search_as_it_is():
    with pytest.raises(ModelError, match="rank 1 was ended") as caught:
        searched(Lost(), 200)
    assert caught.value.code == Code.RANK_LOST


def test_the_same_seed_tries_the_same():
    tried = [[(trial.settings, trial.ndcg) for trial in searched(Shift(), 60).trials] for _ in range(2)]
    assert tried[0] == tried[1]


def test_no_try_is_begun_that_would_not_fit_and_two_are_always_done():
    assert len(searched(Shift(), 0).trials) == 2
    few, many = (len(searched(Shift(), budget).trials) for budget in (30, 90))
    assert 2 < few < many <= 45


def test_a_try_that_cannot_be_fitted_is_told_and_the_search_goes_on():
    told = []
    found = searched(Shift(), 200, told=lambda number, trial: told.append((number, trial)))
    failed = [trial for trial in found.trials if trial.why]
    assert failed
    assert all(trial.ndcg is None and "odd" in trial.why for trial in failed)
    assert [trial for _, trial in told] == list(found.trials)


def test_settings_as_they_are_that_cannot_be_fitted_are_an_error():
    with pytest.raises(ModelError, match="cannot be fitted as it is: odd"):
        searched(Shift(how="badly"), 10)


def test_a_recipe_without_anything_to_search_is_a_mistake_of_the_user():
    with pytest.raises(UsageError, match="no settings that are worth a search"):
        searched(Popular(), 10)
