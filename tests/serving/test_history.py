import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.serving.history import joined

SMALL = st.lists(st.integers(0, 3), max_size=6)


@pytest.mark.parametrize(
    ("past", "live", "expected"),
    [
        ([], [], []),
        ([1, 2], [], [1, 2]),
        ([], [1, 2], [1, 2]),
        ([1, 2], [3], [1, 2, 3]),
        ([1, 2, 3], [2, 3], [1, 2, 3]),  # the tables have caught up
        ([1, 2, 3], [3, 4], [1, 2, 3, 4]),  # in part
        ([1, 2, 3], [4, 2, 3], [1, 2, 3, 4, 2, 3]),  # other events that end alike
    ],
)
def test_what_both_know_counts_once(past, live, expected):
    assert joined(past, live, length=50) == expected


@settings(max_examples=50)
@given(SMALL, SMALL, st.integers(1, 8))
def test_the_newest_items_are_those_of_the_live_history(past, live, length):
    found = joined(past, live, length=length)
    assert len(found) <= length
    newest = (live or past)[-length:]
    assert found[len(found) - len(newest) :] == newest


@settings(max_examples=50)
@given(SMALL, st.data())
def test_tables_that_caught_up_change_nothing(events, data):
    cut = data.draw(st.integers(0, len(events)))
    assert joined(events, events[cut:], length=50) == events
