import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.sequences import Sequences
from endcap.models.transitions import collapsed, count_transitions

sessions = st.lists(st.lists(st.integers(0, 4), max_size=6), max_size=5)


def sequences_of(lists, weights=None):
    flat = [item for each in lists for item in each]
    starts = np.concatenate([[0], np.cumsum([len(each) for each in lists], dtype=np.int64)]).astype(np.int64)
    return Sequences(starts, np.array(flat, np.int32), np.arange(len(flat)), np.arange(len(lists)), weights)


def dense(transitions, num_items):
    matrix = np.zeros((num_items, num_items))
    matrix[transitions.rows(), transitions.items] = transitions.weights
    return matrix


def test_pairs_of_one_session_by_hand():
    counted = dense(count_transitions(sequences_of([[0, 1, 2]]), 3, max_gap=2), 3)
    assert counted.tolist() == [[0, 1, 0.5], [0, 0, 1], [0, 0, 0]]


def test_a_pair_counts_by_the_later_elements_weight():
    counted = count_transitions(sequences_of([[0, 1, 2]], np.array([9, 2, 0], np.float32)), 3, max_gap=2)
    assert dense(counted, 3).tolist() == [[0, 2, 0], [0, 0, 0], [0, 0, 0]]


def test_equal_neighbours_collapse_within_a_sequence_only():
    assert collapsed(np.array([1, 1, 1, 2], np.int32), np.array([0, 0, 1, 1])).tolist() == [True, False, True, True]


@settings(max_examples=60, deadline=None)
@given(sessions, st.integers(1, 4))
def test_counts_are_those_of_plain_loops(lists, max_gap):
    expected = np.zeros((5, 5))
    for each in lists:
        single = [item for at, item in enumerate(each) if at == 0 or each[at - 1] != item]
        for at, first in enumerate(single):
            for gap in range(1, max_gap + 1):
                if at + gap < len(single):
                    expected[first, single[at + gap]] += 1 / gap
    assert dense(count_transitions(sequences_of(lists), 5, max_gap=max_gap), 5) == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(sessions)
def test_the_order_of_sessions_does_not_matter(lists):
    there = count_transitions(sequences_of(lists), 5, max_gap=3)
    back = count_transitions(sequences_of(lists[::-1]), 5, max_gap=3)
    assert dense(there, 5) == pytest.approx(dense(back, 5))
