from dataclasses import replace

import numpy as np

from endcap.core.sequences import Sequences
from endcap.models.next_basket import next_basket
from endcap.models.protocols import leave_one_out, session_next, time
from endcap.models.slices import COLD_EVENTS, Segment, slices_of, slices_of_baskets


def shop():
    """User 0 looks at items 0 and 1, then orders 2 and 3 at one instant; user 1 looks at 0, 0 and 3."""
    return Sequences(
        starts=np.array([0, 4, 7]),
        items=np.array([0, 1, 2, 3, 0, 0, 3], np.int32),
        at_us=np.array([1, 2, 3, 3, 4, 5, 6]),
        users=np.array([0, 1]),
        segments=np.array([0, 0, 1, 1, 1, 0, 1], np.int32),
    )


DEVICE = Segment("device", ("phone", "desk"))
COUNTS = np.array([COLD_EVENTS + 1, COLD_EVENTS + 1, COLD_EVENTS, 0])


def told(cases, segment=None, counts=COUNTS):
    return {name: chosen_B.tolist() for name, chosen_B in slices_of(cases, counts, segment).items()}


def test_order_lines_cold_targets_and_short_histories_are_told_apart():
    cases = session_next(shop(), split_us=0).cases
    assert cases.targets.tolist() == [1, 2, 3, 3]
    assert told(cases) == {
        "untied": [True, True, False, True],
        "cold_items": [False, True, True, True],
        "cold_users": [True, False, False, True],
    }


def test_a_case_belongs_to_the_segment_of_its_targets_event():
    found = told(session_next(shop(), split_us=0).cases, DEVICE)
    assert (found["device=phone"], found["device=desk"]) == ([True, False, False, False], [False, True, True, True])
    found = told(time(shop(), split_us=4).cases, DEVICE)
    assert "device=phone" not in found  # the second look of user 1 at item 0 is no case
    assert found["device=desk"] == [True, True]
    assert told(leave_one_out(shop()).cases, DEVICE)["device=desk"] == [True, True]


def test_every_second_question_keeps_its_segment_and_history():
    cases = session_next(shop(), split_us=0).cases
    half = cases.every(2)
    assert half.targets.tolist() == [1, 3]
    assert half.queries().items.tolist() == [0, 0, 1, 2]
    assert told(half, DEVICE)["device=desk"] == [False, True]


def test_a_target_that_is_no_item_of_the_catalogue_is_cold():
    cases = session_next(shop(), split_us=0).cases
    unknown = replace(cases, targets=np.full(4, -1, np.int32))
    assert told(unknown)["cold_items"] == [True] * 4


def test_without_a_column_there_are_no_segments():
    cases = session_next(replace(shop(), segments=None), split_us=0).cases
    assert set(told(cases, DEVICE)) == {"untied", "cold_items", "cold_users"}


def test_baskets_of_new_items_short_histories_and_the_segment_of_their_first_row():
    # User 0 has 0, then 1, then 2 and 3; user 1 has 0, then 0 again, then 3.
    cases = next_basket(shop(), split_us=2).cases
    found = {name: chosen_B.tolist() for name, chosen_B in slices_of_baskets(cases, DEVICE).items()}
    assert cases.users.tolist() == [0, 0, 1, 1, 1]
    assert found == {
        "new_items": [True, True, True, False, True],
        "cold_users": [True, False, True, True, False],
        "device=phone": [True, False, False, True, False],
        "device=desk": [False, True, True, False, True],
    }
    assert set(slices_of_baskets(cases)) == {"new_items", "cold_users"}
