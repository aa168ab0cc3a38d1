import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.metrics.baskets import basket_hr_at, basket_ndcg_at, basket_recall_at, ranks_of_several
from endcap.metrics.ranking import hr_at, ndcg_at

TWO = np.array([0, 2, 3])
"""A basket of two items and one of one."""


def test_recall_is_the_share_of_a_basket_that_is_among_the_first():
    assert basket_recall_at(np.array([1, 7, 3]), TWO, 4).tolist() == [0.5, 1.0]


def test_a_basket_larger_than_the_list_cannot_come_to_one_in_recall_but_can_in_ndcg():
    ranks, one = np.arange(4), np.array([0, 4])
    assert basket_recall_at(ranks, one, 2).tolist() == [0.5]
    assert basket_ndcg_at(ranks, one, 2).tolist() == [1.0]


def test_ndcg_divides_by_the_best_order():
    # Ranks 0 and 2 gain 1 + 1/2; the best order gains 1 + 1/log2(3).
    assert basket_ndcg_at(np.array([0, 2, 9]), TWO, 5) == pytest.approx([1.5 / (1 + 1 / np.log2(3)), 0.0])


def test_one_right_item_measures_as_in_a_ranking_of_one():
    ranks, starts = np.array([0, 3, 9, 10]), np.arange(5)
    assert basket_ndcg_at(ranks, starts, 10) == pytest.approx(ndcg_at(ranks, 10))
    assert basket_hr_at(ranks, starts, 10).tolist() == hr_at(ranks, 10).tolist()
    assert basket_recall_at(ranks, starts, 10).tolist() == hr_at(ranks, 10).tolist()


def test_each_right_item_is_ranked_among_all_items_of_its_case_and_offsets_count_not_the_arrays_ends():
    scores = np.array([[1, 4, 4, -np.inf], [9, 8, 7, 6]], np.float32)
    items = np.array([3, 1, 0, 2, 3, 3], np.int32)
    assert ranks_of_several(scores, np.array([1, 3, 5]), items).tolist() == [1, 2, 2, 3]
    assert ranks_of_several(scores[:0], np.array([2]), items).tolist() == []


def test_no_baskets_measure_to_nothing():
    for measure in (basket_hr_at, basket_ndcg_at, basket_recall_at):
        assert measure(np.zeros(0, np.int64), np.zeros(1, np.int64), 5).tolist() == []
        assert np.isnan(measure(np.zeros(0, np.int64), np.zeros(2, np.int64), 5)).all()


@given(st.lists(st.sets(st.integers(0, 30), max_size=8), max_size=6), st.integers(1, 12))
def test_measures_lie_between_none_and_all_and_grow_with_the_list(baskets, k):
    ranks = np.array([rank for each in baskets for rank in sorted(each)], np.int64)
    starts = np.concatenate([[0], np.cumsum([len(each) for each in baskets], dtype=np.int64)]).astype(np.int64)
    for measure in (basket_hr_at, basket_recall_at, basket_ndcg_at):
        values = measure(ranks, starts, k)
        assert np.isnan(values).tolist() == [not each for each in baskets]
        assert ((values[~np.isnan(values)] >= 0) & (values[~np.isnan(values)] <= 1 + 1e-12)).all()
    assert (
        np.nan_to_num(basket_recall_at(ranks, starts, k)) <= np.nan_to_num(basket_recall_at(ranks, starts, k + 1))
    ).all()
