from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.sequences import Sequences
from endcap.models.protocols import HISTORY_LENGTH, keep, leave_one_out, session_next, time


def shop():
    """Sessions of user 0 (minutes 0-4: a a b a, minute 5: c after T) and user 1 (minutes 6 and 7)."""
    return Sequences(
        starts=np.array([0, 5, 7]),
        items=np.array([0, 0, 1, 0, 2, 3, 3], np.int32),
        at_us=np.array([0, 1, 2, 3, 5, 6, 7]),
        users=np.array([0, 1]),
    )


def told(cases):
    queries = cases.queries()
    histories = [queries.items[a:b].tolist() for a, b in zip(queries.starts, queries.starts[1:], strict=False)]
    return list(zip(histories, cases.targets.tolist(), cases.masked.tolist(), cases.users.tolist(), strict=True))


def test_session_next_asks_each_step_to_a_different_item_at_or_after_the_split():
    split = session_next(shop(), split_us=2)
    assert told(split.cases) == [([0, 1], 0, 1, 0), ([0, 1, 0], 2, 0, 0)]
    assert split.train.items.tolist() == [0, 0]
    assert split.train.users.tolist() == [0]


def test_session_next_takes_the_instant_of_the_first_of_equal_neighbours():
    assert [target for _, target, _, _ in told(session_next(shop(), split_us=1).cases)] == [0, 2]


def test_time_asks_every_later_step_of_a_user_and_a_new_visitor_has_no_history():
    split = time(shop(), split_us=3)
    assert told(split.cases) == [([0, 1], 0, -1, 0), ([0, 1, 0], 2, -1, 0), ([], 3, -1, 1)]
    assert split.train.items.tolist() == [0, 0, 1]


def test_time_carries_a_history_over_sessions():
    visits = Sequences(np.array([0, 2, 3]), np.array([4, 5, 6], np.int32), np.arange(3), np.array([7, 7]))
    assert told(time(visits, split_us=2).cases) == [([4, 5], 6, -1, 7)]


def test_leave_one_out_asks_for_the_last_item_of_each_user_with_two():
    visits = Sequences(np.array([0, 2, 3, 4]), np.array([4, 5, 6, 9], np.int32), np.arange(4), np.array([1, 1, 2]))
    split = leave_one_out(visits)
    assert told(split.cases) == [([4, 5], 6, -1, 1)]
    assert split.train.items.tolist() == [4, 5, 9]
    assert split.train.starts.tolist() == [0, 2, 3]
    assert split.train.users.tolist() == [1, 2]


def test_a_question_tells_what_was_done_with_each_item_and_when_of_equal_neighbours_the_strongest():
    sessions = replace(shop(), events=np.array([1, 2, 1, 3, 1, 0, 1], np.int8))
    asked = session_next(sessions, split_us=2).cases.queries()
    assert asked.items.tolist() == [0, 1, 0, 1, 0]
    assert asked.events.tolist() == [2, 1, 2, 1, 3]
    assert asked.at_us.tolist() == [0, 2, 0, 2, 3]
    assert time(sessions, split_us=3).cases.queries().events.tolist() == [2, 1, 2, 1, 3]
    assert leave_one_out(sessions).cases.queries().events.tolist() == [1, 2, 1, 3, 0]
    assert session_next(shop(), split_us=2).cases.queries().events is None


def test_the_lines_of_one_order_are_tied():
    orders = Sequences(np.array([0, 4]), np.array([4, 5, 6, 7], np.int32), np.array([1, 1, 2, 2]), np.array([0]))
    assert session_next(orders, split_us=0).cases.tied.tolist() == [True, False, True]
    assert time(orders, split_us=0).cases.tied.tolist() == [False, True, False, True]
    assert leave_one_out(orders).cases.tied.tolist() == [True]


def test_seen_items_are_whole_histories_and_queries_their_last_items():
    long = Sequences(np.array([0, 61]), np.arange(61, dtype=np.int32), np.arange(61), np.array([0]))
    cases = leave_one_out(long).cases
    rows, items = cases.seen()
    assert items.tolist() == list(range(60))
    assert set(rows.tolist()) == {0}
    assert cases.queries().items.tolist() == list(range(60 - HISTORY_LENGTH, 60))


def test_cutting_keeps_what_stands_beside_the_elements():
    whole = Sequences(
        np.array([0, 2, 3]), np.array([1, 2, 3], np.int32), np.arange(3), np.array([5, 6]),
        weights=np.array([1, 2, 3], np.float32), negatives=np.array([[7], [8], [9]], np.int32),
        negative_p=np.array([[0.1], [0.2], [0.3]], np.float32), pool_negatives=np.array([[4], [5], [6]], np.int32),
        pool_weights=np.array([[1], [4], [9]], np.float32),
    )  # fmt: skip
    cut = keep(whole, np.array([False, True, False]))
    assert (cut.starts.tolist(), cut.items.tolist(), cut.users.tolist()) == ([0, 1], [2], [5])
    assert (cut.weights.tolist(), cut.negatives.tolist()) == ([2], [[8]])
    assert cut.negative_p == pytest.approx(np.array([[0.2]]))
    assert (cut.pool_negatives.tolist(), cut.pool_weights.tolist()) == ([[5]], [[4]])


def test_no_sequences_give_no_cases():
    nothing = Sequences(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64))
    for split in (session_next(nothing, split_us=0), time(nothing, split_us=0), leave_one_out(nothing)):
        assert len(split.cases) == len(split.train) == len(split.cases.queries()) == 0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), max_size=5), st.integers(0, 12))
def test_nothing_of_the_test_is_in_the_training_part(lists, split_us):
    items = np.array([item for each in lists for item in each], np.int32)
    starts = np.concatenate([[0], np.cumsum([len(each) for each in lists], dtype=np.int64)]).astype(np.int64)
    whole = Sequences(starts, items, np.arange(len(items)), np.zeros(len(lists), np.int64))
    for split in (session_next(whole, split_us=split_us), time(whole, split_us=split_us)):
        assert (split.train.at_us < split_us).all()
        assert len(split.train.items) == min(split_us, len(items))
