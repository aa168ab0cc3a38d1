import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.metrics import lists as room
from endcap.metrics.lists import diversity, gini, novelty, popularity

COUNTS = np.array([4, 2, 1, 1, 0])
CATEGORIES = np.array([0, 0, 1, 2, -1])

worlds = st.integers(1, 6).flatmap(
    lambda places: st.lists(st.lists(st.integers(-1, 4), min_size=places, max_size=places), min_size=1, max_size=8).map(
        lambda rows: np.array(rows, np.int32)
    )
)


def test_an_item_with_an_eighth_of_all_events_tells_three_bits():
    assert novelty(np.array([[0, 1, 2]], np.int32), COUNTS).tolist() == [(1 + 2 + 3) / 3]


def test_items_that_were_never_seen_in_training_are_left_out_of_the_novelty_and_alone_make_it_undefined():
    found = novelty(np.array([[0, 4], [4, -1], [-1, -1]], np.int32), COUNTS)
    assert found[0] == 1
    assert np.isnan(found[1:]).all()


def test_popularity_is_the_mean_share_of_events_and_an_unseen_item_has_none():
    assert popularity(np.array([[0, 1], [0, 4], [4, -1]], np.int32), COUNTS).tolist() == [0.375, 0.25, 0]


def test_without_training_events_nothing_is_novel_or_popular():
    nothing = np.zeros(5, np.int64)
    assert np.isnan(novelty(np.array([[0]], np.int32), nothing)).all()
    assert np.isnan(popularity(np.array([[0]], np.int32), nothing)).all()


def test_diversity_is_the_share_of_pairs_of_two_categories_among_those_that_are_known():
    found = diversity(np.array([[0, 1, 2, 3], [0, 1, 4, -1], [2, 4, -1, -1], [2, -1, -1, -1]], np.int32), CATEGORIES)
    assert found[:2].tolist() == [5 / 6, 0]
    assert np.isnan(found[2:]).all()


def test_one_place_has_no_pair_and_no_item_no_category():
    assert np.isnan(diversity(np.array([[0]], np.int32), CATEGORIES)).all()
    assert np.isnan(diversity(np.array([[-1, -1]], np.int32), np.zeros(0, np.int64))).all()
    assert np.isnan(popularity(np.array([[-1, -1]], np.int32), np.zeros(0, np.int64))).all()


def test_the_same_list_for_everybody_is_uneven_and_no_list_at_all_is_undefined():
    assert gini(np.array([[0, 1]] * 9, np.int32), 8) == 0.75
    assert np.isnan(gini(np.full((2, 2), -1, np.int32), 8))


@given(worlds)
def test_the_order_of_places_and_of_lists_does_not_matter(top_BK):
    for measure, known in ((novelty, COUNTS), (popularity, COUNTS), (diversity, CATEGORIES)):
        found = measure(top_BK, known)
        assert measure(top_BK[::-1, ::-1], known) == pytest.approx(found[::-1], nan_ok=True)
    assert gini(top_BK[::-1, ::-1], 5) == pytest.approx(gini(top_BK, 5), nan_ok=True)


@given(worlds)
def test_measures_stay_within_their_bounds(top_BK):
    for found in (popularity(top_BK, COUNTS), diversity(top_BK, CATEGORIES)):
        assert ((found >= 0) & (found <= 1) | np.isnan(found)).all()
    spread = gini(top_BK, 5)
    assert np.isnan(spread) or -1e-12 <= spread <= 1 - 1 / 5 + 1e-12


@given(worlds)
def test_batches_of_pairs_do_not_matter(top_BK):
    whole = diversity(top_BK, CATEGORIES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "_CELLS", 1)
        assert diversity(top_BK, CATEGORIES) == pytest.approx(whole, nan_ok=True)
