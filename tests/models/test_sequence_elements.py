import numpy as np

from endcap.core.sequences import Queries
from endcap.models.sequence_elements import NUM_GAPS, Elements, gaps_of


def test_histories_are_cut_to_their_last_elements_and_padded_behind():
    elements = Elements.of(Queries.of([[1, 2, 3], [], [4]]), 2)
    assert elements.items_BL.tolist() == [[2, 3], [0, 0], [4, 0]]
    assert elements.lengths_B.tolist() == [2, 0, 1]


def test_repeated_neighbours_are_one_element_with_the_strongest_of_what_was_done_and_the_first_pause():
    second = 1_000_000
    queries = Queries(
        np.array([0, 4, 6]),
        np.array([1, 2, 2, 2, 2, 1], np.int32),
        np.array([1, 1, 3, 1, 1, 2], np.int8),
        np.array([0, 3, 9, 10, 0, 7]) * second,
    )
    elements = Elements.of(queries, 5)
    assert elements.items_BL.tolist() == [[1, 2], [2, 1]]
    assert elements.events_BL.tolist() == [[1, 3], [1, 2]]
    assert elements.gaps_BL.tolist() == [[0, 3], [0, 4]]


def test_what_is_not_known_is_nothing():
    elements = Elements.of(Queries.of([[1, 2]]), 5)
    assert not elements.events_BL.any()
    assert not elements.gaps_BL.any()


def test_queries_may_begin_in_the_middle_of_an_array():
    part = Queries(
        np.array([2, 4]), np.array([9, 9, 1, 2, 9], np.int32), np.array([0, 0, 1, 2, 0], np.int8), np.arange(5)
    )
    assert Elements.of(part, 9).items_BL.tolist() == [[1, 2]]
    assert Elements.of(part, 9).events_BL.tolist() == [[1, 2]]


def test_a_pause_of_years_is_in_the_last_bucket_and_one_backwards_in_the_first():
    assert gaps_of(np.array([0, 10**16, 5]), np.zeros(3, np.int64)).tolist() == [0, NUM_GAPS - 1, 1]
