import numpy as np
import pytest

from endcap.metrics.ranking import UNDEFINED
from endcap.models.measuring import Answers, Measuring, accuracy_by_case
from endcap.models.slices import LEAST_CASES

NUM = 2 * LEAST_CASES


def measuring(category_of=None):
    return Measuring(np.arange(NUM), np.array([3, 1, 0]), category_of, ks=(1, 2), seed=1, resamples=20)


def answers(ranks, top):
    return Answers(np.array(ranks), np.tile(np.array(top, np.int32), (NUM, 1)))


HIT, MISS = answers([0] * NUM, [0, 1]), answers([2] * NUM, [2, 2])


def test_hits_lists_and_what_is_of_all_lists_together():
    found = measuring(np.array([7, 8, 8])).measures(HIT)
    assert found.values["hr@1"] == 1
    assert found.values["popularity@2"] == 0.5
    assert found.values["diversity@2"] == 1
    assert found.values["coverage@2"] == pytest.approx(2 / 3)
    assert found.values["gini@2"] == pytest.approx(1 / 3)
    assert found.intervals["popularity@2"] == (0.5, 0.5)
    assert not {"coverage@2", "gini@2"} & set(found.intervals)
    assert found.undefined == {}


def test_what_is_undefined_is_counted():
    found = measuring().measures(MISS)
    assert np.isnan(found.values["novelty@1"])
    assert found.undefined == {"novelty@1": NUM, "novelty@2": NUM}


def test_a_catalogue_without_categories_has_no_diversity_nor_has_a_list_of_one():
    assert not [name for name in measuring().measures(HIT).values if name.startswith("diversity")]
    assert "diversity@1" not in measuring(np.array([7, 8, 8])).measures(HIT).values


def test_models_are_compared_with_the_references_and_a_reference_with_the_weaker_one():
    found = measuring().differences({"new": HIT, "popular": MISS, "item_markov": HIT})
    assert [(each.first, each.second) for each in found] == [
        ("new", "item_markov"), ("new", "popular"), ("item_markov", "popular")
    ]  # fmt: skip
    assert [each.values["hr@1"] for each in found] == [0, 1, 1]


def test_a_slice_is_measured_on_its_cases_alone_and_one_that_is_too_small_not_at_all():
    half = answers([0] * LEAST_CASES + [2] * LEAST_CASES, [0, 1])
    first_B = np.arange(NUM) < LEAST_CASES
    (found,) = measuring().slices({"half": half, "popular": MISS}, {"first": first_B})
    assert (found.cases, found.users, found.models["half"].values["hr@1"]) == (LEAST_CASES, LEAST_CASES, 1)
    assert found.differences[0].values["hr@1"] == 1
    first_B[0] = False
    (small,) = measuring().slices({"half": half}, {"small": first_B})
    assert (small.cases, small.is_too_small, small.models, small.differences) == (LEAST_CASES - 1, True, {}, ())


def test_every_measure_stands_for_every_length():
    assert list(accuracy_by_case(np.array([0]), (1, 5))) == ["hr@1", "hr@5", "ndcg@1", "ndcg@5", "mrr@1", "mrr@5"]


def test_of_several_right_items_each_counts_and_one_that_is_no_candidate_does_not():
    # Ranks 0 and 5 of one basket; a hit and one that was dropped; one that was dropped alone.
    found = Answers(np.array([0, 5, 1, UNDEFINED, UNDEFINED]), np.zeros((3, 1), np.int32), np.array([0, 2, 4, 5]))
    told = {name: values.tolist() for name, values in found.accuracy((2,)).items()}
    assert told["recall@2"] == pytest.approx([0.5, 1, np.nan], nan_ok=True)
    assert told["hr@2"] == pytest.approx([1, 1, np.nan], nan_ok=True)
    assert told["ndcg@2"] == pytest.approx([1 / (1 + 1 / np.log2(3)), 1 / np.log2(3), np.nan], nan_ok=True)
    assert list(told) == ["hr@2", "ndcg@2", "recall@2"]
