import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.metrics.probabilities import auc, grouped_auc, log_losses, observed_over_expected

cases = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.4, 0.5, 1.0]), st.booleans()), min_size=1, max_size=30)


def arrays(found):
    return np.array([score for score, _ in found]), np.array([label for _, label in found])


@given(cases)
def test_the_area_is_the_share_of_pairs_that_are_ordered_rightly(found):
    scores, labels = arrays(found)
    pairs = [(yes > no) + (yes == no) / 2 for yes in scores[labels] for no in scores[~labels]]
    wanted = np.mean(pairs) if pairs else math.nan
    assert auc(scores, labels) == pytest.approx(wanted, nan_ok=True)


@given(cases, st.lists(st.integers(0, 3), min_size=30, max_size=30))
def test_a_case_of_weight_n_is_n_cases(found, times):
    scores, labels = arrays(found)
    weights = np.array(times[: len(found)])
    again = np.repeat(np.arange(len(found)), weights)
    assert auc(scores, labels, weights.astype(float)) == pytest.approx(auc(scores[again], labels[again]), nan_ok=True)


@given(cases)
def test_one_group_is_the_whole_and_a_group_of_one_kind_tells_nothing(found):
    scores, labels = arrays(found)
    one_group = np.zeros(len(found), np.int64)
    assert grouped_auc(scores, labels, one_group) == pytest.approx(auc(scores, labels), nan_ok=True)
    assert math.isnan(grouped_auc(scores, labels, labels.astype(np.int64)))


def test_groups_weigh_as_much_as_they_have_cases():
    """By hand: a group of 2 with all right, one of 4 with 1 of 3 pairs right: (2 x 1 + 4 x 1/3) / 6."""
    groups = np.array([7, 2, 2, 7, 2, 2])
    labels = np.array([True, True, False, False, False, False])
    scores = np.array([0.9, 0.4, 0.5, 0.1, 0.6, 0.3])
    assert grouped_auc(scores, labels, groups) == pytest.approx((2 * 1 + 4 / 3) / 6)


def test_a_certain_mistake_costs_much_but_no_more_than_a_number():
    assert log_losses(np.array([1.0, 0.0]), np.array([False, True])).tolist() == pytest.approx([27.6, 27.6], abs=0.1)


def test_parts_tell_how_much_came_true_from_the_least_probable_on():
    """By hand: two parts of three; .3 expected and one came, 1.5 expected and two came."""
    found = observed_over_expected(
        np.array([0.5, 0.1, 0.5, 0.1, 0.5, 0.1]), np.array([True, False, False, True, True, False]), parts=2
    )
    assert found.tolist() == pytest.approx([1 / 0.3, 2 / 1.5])


def test_sampled_cases_count_for_those_that_were_left_out():
    """Of four cases that did not happen one was kept: it stands for four, so 1 of 5 happened, as was expected."""
    found = observed_over_expected(np.full(2, 0.2), np.array([True, False]), parts=1, weights_B=np.array([1.0, 4.0]))
    assert found.tolist() == pytest.approx([1.0])


def test_what_was_not_expected_at_all_has_no_ratio():
    assert np.isnan(observed_over_expected(np.zeros(4), np.zeros(4, bool), parts=2)).all()
