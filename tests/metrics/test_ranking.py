import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from endcap.metrics.ranking import coverage, hr_at, mean_defined, mrr_at, ndcg_at, ranks_of, top_items

scores = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 7)), elements=st.sampled_from([-1, 0, 0.5, 2]))


def test_ties_go_against_the_target():
    assert ranks_of(np.zeros((1, 5), np.float32), np.array([2], np.int32)).tolist() == [4]


def test_an_unknown_target_and_a_nan_are_missed_at_every_k():
    scores_BN = np.array([[1, 2, 3], [np.nan, 2, 3]], np.float32)
    assert ranks_of(scores_BN, np.array([-1, 0], np.int32)).tolist() == [3, 3]


def test_items_without_a_number_do_not_stand_before_the_target():
    assert ranks_of(np.array([[np.nan, 1, 2]], np.float32), np.array([1], np.int32)).tolist() == [1]


def test_a_target_that_is_no_candidate_is_undefined_in_every_measure():
    rank_B = ranks_of(np.array([[-np.inf, 1]], np.float32), np.array([0], np.int32))
    assert all(math.isnan(measure(rank_B, 5)[0]) for measure in (hr_at, ndcg_at, mrr_at))


def test_means_count_what_is_undefined():
    assert mean_defined(np.array([1.0, 0.0, np.nan])) == (0.5, 1)
    mean, undefined = mean_defined(np.array([np.nan]))
    assert math.isnan(mean)
    assert undefined == 1


def test_measures_of_the_third_place_by_hand():
    ranks_B = np.array([2])
    assert (hr_at(ranks_B, 2)[0], hr_at(ranks_B, 3)[0]) == (0, 1)
    assert ndcg_at(ranks_B, 3)[0] == pytest.approx(0.5)
    assert mrr_at(ranks_B, 3)[0] == pytest.approx(1 / 3)


@settings(max_examples=60, deadline=None)
@given(scores, st.integers(1, 9))
def test_top_items_are_those_of_a_full_sort(scores_BN, count):
    expected = [sorted(range(len(row)), key=lambda item, row=row: (-row[item], item))[:count] for row in scores_BN]
    assert top_items(scores_BN, count).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(scores, st.data())
def test_a_target_within_the_first_k_stands_in_the_top_k(scores_BN, data):
    target = data.draw(st.integers(0, scores_BN.shape[1] - 1))
    targets_B = np.full(len(scores_BN), target, np.int32)
    hits = hr_at(ranks_of(scores_BN, targets_B), 3).astype(bool)
    assert (top_items(scores_BN, 3)[hits] == target).any(axis=1).all()


def test_coverage_of_nothing_is_undefined():
    assert math.isnan(coverage(np.zeros((0, 3), np.int32), 5))
    assert math.isnan(coverage(np.zeros((2, 0), np.int32), 0))
    assert coverage(np.array([[0, 1], [0, -1]], np.int32), 8) == 0.25
