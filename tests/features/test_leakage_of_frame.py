from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.features.leakage_of_frame import find_leaks_of_frame
from endcap.testing.leaky_frame import MORE_FRAME_MISTAKES, ROLES, clean_frame


def names(report):
    return [(each.name, each.column) for each in report.findings]


@pytest.mark.parametrize("name", MORE_FRAME_MISTAKES)
def test_more_mistakes_are_found_and_named(name):
    mistake = MORE_FRAME_MISTAKES[name]
    assert names(find_leaks_of_frame(mistake.make(clean_frame()), ROLES)) == [(mistake.leak, mistake.column)]


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_clean_frames_have_no_finding_in_whatever_order_their_rows_are(seed, is_shuffled):
    frame = clean_frame(seed=seed)
    if is_shuffled:
        frame = frame.take(np.random.default_rng(seed).permutation(len(frame)))
    assert names(find_leaks_of_frame(frame, ROLES)) == []


def test_what_is_not_told_is_left_out_and_said():
    report = find_leaks_of_frame(clean_frame(), replace(ROLES, at="", id="", split="", known_at=""))
    assert len(report.left_out) == 5
    told = " ".join(report.left_out)
    assert all(flag in told for flag in ("--at", "--id", "--split", "--known-at", "--later"))


def test_a_value_that_the_future_changed_is_found_by_a_later_frame():
    frame = clean_frame()
    frame = frame.take(list(range(0, len(frame), 20)))
    rate = np.asarray(frame["item_rate"], float).copy()
    rate[:40] += 0.01
    later = frame.set_column(frame.column_names.index("item_rate"), "item_rate", pa.array(rate))
    later = pa.concat_tables([later.slice(100), later.slice(0, 100)])
    (found,) = find_leaks_of_frame(frame, ROLES, later=later).findings
    assert (found.name, found.column) == ("value-changes-with-the-future", "item_rate")
    assert (found.rows, found.of_rows) == (40, len(frame))
    assert names(find_leaks_of_frame(frame, ROLES, later=frame)) == []


def test_a_text_that_the_future_changed_is_found_too():
    frame = clean_frame()
    frame = frame.take(list(range(0, len(frame), 20)))
    later = frame.set_column(frame.column_names.index("device"), "device", pa.array(["watch"] * len(frame)))
    (found,) = find_leaks_of_frame(frame, ROLES, later=later).findings
    assert (found.column, found.rows) == ("device", len(frame))


def test_users_on_both_sides_of_a_split_in_time_are_no_leak():
    frame = clean_frame()
    users = [f"user {number % 50}" for number in range(len(frame))]
    frame = frame.set_column(0, "session_id", pa.array(users))
    assert names(find_leaks_of_frame(frame, ROLES)) == []


def test_equal_rows_of_coarse_columns_are_no_copies():
    rng = np.random.default_rng(5)
    frame = pa.table({
        "user": [str(number) for number in range(3_000)], "day": ["2016-09-01", "2016-09-02"] * 1_500,
        "age": rng.integers(1, 4, 3_000), "bought": rng.random(3_000) < 0.3,
        "part": rng.choice(["train", "test"], 3_000),
    })  # fmt: skip
    roles = replace(ROLES, at="day", id="user", known_at="")
    assert names(find_leaks_of_frame(frame, roles)) == []


def test_a_column_scaled_by_the_training_rows_alone_is_clean():
    frame = clean_frame()
    price = np.asarray(frame["price"], float)
    training = price[np.asarray(pc.equal(frame["part"], "train"))]
    scaled = (price - training.mean()) / training.std()
    frame = frame.set_column(frame.column_names.index("price"), "price", pa.array(scaled))
    assert names(find_leaks_of_frame(frame, ROLES)) == []


def test_ranks_over_all_rows_are_found():
    frame = clean_frame()
    ranks = np.argsort(np.argsort(np.random.default_rng(1).random(len(frame)))) / (len(frame) - 1)
    report = find_leaks_of_frame(frame.append_column("rank", pa.array(ranks)), ROLES)
    assert names(report) == [("scaled-with-the-test", "rank")]


def test_no_id_stands_in_what_is_told():
    mistake = MORE_FRAME_MISTAKES["last seen of the whole period"]
    frame = mistake.make(clean_frame())
    text = find_leaks_of_frame(frame, ROLES).text()
    assert not any(name in text for name in set(frame["session_id"].to_pylist()))
