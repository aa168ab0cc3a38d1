import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.history import NO_HISTORY, History, kind_of

ELEMENTS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 9)), max_size=6)


def told(history):
    at_us = [None] * len(history) if history.at_us is None else history.at_us.tolist()
    return list(zip(history.items.tolist(), history.events.tolist(), at_us, strict=True))


def test_an_event_that_models_do_not_tell_apart_is_of_no_kind():
    assert [kind_of(name) for name in ("view_item", "purchase", "remove_from_cart", "")] == [1, 3, 0, 0]


@settings(max_examples=40)
@given(ELEMENTS)
def test_a_history_holds_what_it_was_made_of(elements):
    history = History.of(elements)
    assert told(history) == elements
    assert len(history) == len(elements)
    assert (history.items.dtype, history.events.dtype, history.at_us.dtype) == (np.int32, np.int8, np.int64)


@settings(max_examples=40)
@given(ELEMENTS, st.integers(0, 8))
def test_the_last_elements_are_the_latest(elements, count):
    assert told(History.of(elements).last(count)) == elements[max(0, len(elements) - count) :]


def test_instants_are_known_if_all_are():
    known, items = History.of([(1, 2, 3)]), History.of_items([4, 5])
    assert told(known.then(known)) == [(1, 2, 3), (1, 2, 3)]
    assert told(known.then(items)) == [(1, 2, None), (4, 0, None), (5, 0, None)]
    assert told(items.then(known).last(1)) == [(1, 2, None)]
    for some in (known, items):
        assert told(NO_HISTORY.then(some)) == told(some.then(NO_HISTORY)) == told(some)


@settings(max_examples=60)
@given(ELEMENTS, ELEMENTS)
def test_what_came_late_stands_where_it_belongs(past, late):
    past, late = (sorted(each, key=lambda element: (element[2], element[0])) for each in (past, late))
    found = told(History.of(past).with_late(History.of(late)))
    assert found == sorted(past + late, key=lambda element: (element[2], element[0]))  # sorting keeps equals in order


def test_what_has_no_instant_belongs_nowhere():
    with pytest.raises(AssertionError):
        History.of_items([1]).with_late(History.of([(1, 2, 3)]))


def test_a_history_is_one_question():
    query = History.of([(4, 1, 60), (5, 3, 90)]).query()
    assert (query.starts.tolist(), query.items.tolist()) == ([0, 2], [4, 5])
    assert (query.events.tolist(), query.at_us.tolist()) == ([1, 3], [60, 90])
    assert History.of_items([4]).query().at_us is None
    assert len(NO_HISTORY.query()) == 1
