import numpy as np
import pytest

from endcap.models.item_markov import ItemMarkov
from endcap.models.popular import Popular
from endcap.models.protocols import session_next
from endcap.models.side_by_side import side_by_side, verdict
from endcap.testing.worlds import SPLIT_US, planted_catalogue, planted_sequences

SAME = np.arange(12, dtype=np.int32)


@pytest.fixture(scope="module")
def world():
    split = session_next(planted_sequences(), split_us=SPLIT_US)
    fitted = [recipe.fit(split.train, planted_catalogue(), seed=1) for recipe in (Popular(), ItemMarkov())]
    return split.cases, *fitted


def compared(old, new, cases, to_old=SAME, cold=0):
    return side_by_side(
        old,
        new,
        cases,
        to_old_N=to_old,
        num_old=12,
        train_counts_N=np.where(np.arange(12) < cold, 0, 100),
        ks=(5, 10),
        measure="ndcg@10",
        seed=3,
        resamples=100,
    )


def test_a_model_that_knows_the_rule_is_better_than_one_that_does_not_and_the_other_way_round(world):
    cases, popular, markov = world
    assert compared(popular, markov, cases).verdict == "better"
    assert compared(markov, popular, cases).verdict == "worse"


def test_a_model_beside_itself_is_the_same(world):
    cases, _, markov = world
    found = compared(markov, markov, cases)
    assert (found.verdict, found.measures["ndcg@10"]["difference"]) == ("same", 0.0)


def test_targets_that_the_old_one_does_not_know_are_missed_by_it(world):
    cases, _, markov = world
    unknown = SAME.copy()
    unknown[6:] = -1
    found = compared(markov, markov, cases, unknown)
    assert found.verdict == "better"
    assert found.cases == len(cases)


def test_the_numbers_of_the_other_catalogue_may_be_in_any_order(world):
    cases, _, markov = world
    assert compared(markov, markov, cases, SAME).measures["mrr@5"]["old"] is not None


@pytest.mark.parametrize(
    ("ends", "word"),
    [((0.2, 0.001, 0.3), "better"), ((0.2, -0.3, -0.001), "worse"), ((0.2, -0.01, 0.01), "same"),
     ((0.2, -0.011, 0.01), "cannot tell"), ((0.2, None, None), "cannot tell"), ((None, None, None), "cannot tell")],
)  # fmt: skip
def test_the_verdict_follows_the_interval(ends, word):
    assert verdict(*ends) == word


def test_each_slice_has_a_verdict_by_the_same_rule(world):
    cases, popular, markov = world
    slices = compared(popular, markov, cases, cold=6).slices
    assert list(slices) == ["untied", "cold_items", "cold_users"]
    assert {name: each.verdict for name, each in slices.items()} == dict.fromkeys(slices, "better")
    assert slices["cold_items"].cases == np.count_nonzero(cases.targets < 6)
    assert slices["untied"].measures == compared(popular, markov, cases).measures


def test_a_slice_of_too_few_cases_cannot_tell(world):
    cases, popular, markov = world
    slices = compared(popular, markov, cases, cold=1).slices
    assert 0 < slices["cold_items"].cases < 50
    assert slices["cold_items"].verdict == "cannot tell"
    assert compared(popular, markov, cases).slices["cold_items"].cases == 0
