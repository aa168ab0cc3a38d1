import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.sequences import Catalogue, Queries, Sequences

histories = st.lists(st.lists(st.integers(0, 9), max_size=6), max_size=5)


def test_a_catalogue_has_as_many_items_as_ids():
    assert len(Catalogue(("a", "b"))) == 2


def test_lengths_and_sequence_numbers_of_a_ragged_set_with_empty_sequences():
    sequences = Sequences(np.array([0, 0, 2, 2, 3]), np.array([4, 5, 6], np.int32), np.arange(3), np.arange(4))
    assert len(sequences) == 4
    assert sequences.lengths().tolist() == [0, 2, 0, 1]
    assert sequences.sequence_of().tolist() == [1, 1, 3]


def test_no_sequences_are_none():
    nothing = Sequences(np.array([0]), np.array([], np.int32), np.array([]), np.array([]))
    assert len(nothing) == 0
    assert nothing.lengths().tolist() == nothing.sequence_of().tolist() == []


@settings(max_examples=60, deadline=None)
@given(histories)
def test_queries_hold_what_they_were_made_of(lists):
    queries = Queries.of(lists)
    assert len(queries) == len(lists)
    assert (queries.starts.dtype, queries.items.dtype) == (np.int64, np.int32)
    ends = zip(queries.starts[:-1], queries.starts[1:], strict=True)
    assert [queries.items[start:end].tolist() for start, end in ends] == lists


@settings(max_examples=60, deadline=None)
@given(histories, st.integers(1, 8))
def test_the_last_items_come_latest_first(lists, count):
    items_BL, filled_BL = Queries.of(lists).last(count)
    assert items_BL.shape == filled_BL.shape == (len(lists), count)
    for history, items, filled in zip(lists, items_BL, filled_BL, strict=True):
        assert items[filled].tolist() == history[::-1][:count]
        assert (items[~filled] == 0).all()


def test_the_last_items_of_queries_that_begin_in_the_middle_of_an_array():
    queries = Queries(np.array([2, 4]), np.array([9, 9, 1, 2, 9], np.int32))
    items_BL, filled_BL = queries.last(3)
    assert items_BL.tolist() == [[2, 1, 0]]
    assert filled_BL.tolist() == [[True, True, False]]
