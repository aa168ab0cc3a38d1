import numpy as np
import pyarrow as pa
import pytest

from endcap.core.clock import day_start_us
from endcap.core.errors import Code, DataError
from endcap.features.leakage_frame import FrameRoles, read_frame

DAY = day_start_us("2016-09-01")


def frame(**columns):
    made = {"bought": [True, False, True, False], "at": [DAY, DAY + 1, DAY + 2, DAY + 3], **columns}
    return pa.table({name: values for name, values in made.items() if values is not None})


def test_numbers_texts_and_instants_are_told_apart_and_lists_are_left_alone():
    table = frame(
        price=[1.5, None, 2.5, 1.5],
        device=["b", "", None, "a"],
        seen=[DAY - 5, DAY - 6, None, DAY],
        born=pa.array([0, 1, 2, 3], pa.timestamp("us", tz="UTC")),
        tags=[["x"], [], [], []],
    )
    read = read_frame(table, FrameRoles("bought", at="at"))
    assert read.features["price"].codes.tolist() == [0, -1, 1, 0]
    assert read.features["device"].codes.tolist() == [2, -1, -1, 1] or read.features["device"].keys == [
        "b",
        None,
        None,
        "a",
    ]
    assert read.features["price"].instants is None
    assert read.features["seen"].instants[0] == DAY - 5
    assert read.features["born"].instants.tolist() == [0, 1, 2, 3]
    assert read.unread == ("tags",)


def test_instants_in_seconds_are_brought_to_microseconds():
    at = [value // 1_000_000 + 60 * step for step, value in enumerate([DAY] * 4)]
    read = read_frame(frame(at=at, seen=[each + 5 for each in at]), FrameRoles("bought", at="at"))
    assert read.at_us[1] - read.at_us[0] == 60_000_000
    assert (read.features["seen"].instants - read.at_us).tolist() == [5_000_000] * 4


def test_a_count_is_no_instant():
    assert read_frame(frame(num=[1, 2, 3, 4]), FrameRoles("bought", at="at")).features["num"].instants is None


@pytest.mark.parametrize(
    ("label", "positive"),
    [([0, 1, 1, 0], [0, 1, 1, 0]), (["no", "yes", "no", "no"], [0, 1, 0, 0]), ([0.0, 0.0, 5.0, 9.0], [0, 0, 1, 1])],
)
def test_a_label_is_its_greater_value_or_what_is_above_its_median(label, positive):
    read = read_frame(frame(bought=label), FrameRoles("bought"))
    assert read.is_positive.tolist() == [bool(each) for each in positive]


def test_the_test_is_named_by_a_column_or_begins_on_a_day():
    named = frame(part=["train", "TEST", "valid", "train"])
    assert read_frame(named, FrameRoles("bought", split="part")).is_test.tolist() == [False, True, True, False]
    days = frame(at=["2016-09-01", "2016-09-02", "2016-09-03", "2016-09-01"])
    roles = FrameRoles("bought", at="at", split="2016-09-02")
    assert np.flatnonzero(read_frame(days, roles).is_test).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("roles", "code", "told"),
    [
        (FrameRoles("bougt"), Code.INTERACTIONS_COLUMN, "did you mean 'bought'"),
        (FrameRoles("bought", at="words"), Code.INTERACTIONS_COLUMN, "'words' is no time"),
        (FrameRoles("bought", at="holes"), Code.INTERACTIONS_COLUMN, "1 of 4 rows have none"),
        (FrameRoles("same"), Code.SPLIT_EMPTY, "the same in all of 4 rows"),
        (FrameRoles("holes"), Code.SPLIT_EMPTY, "does not have a value in every row"),
        (FrameRoles("bought", split="2016-09-02"), Code.INTERACTIONS_COLUMN, "without instants"),
        (FrameRoles("bought", at="at", split="soon"), Code.INTERACTIONS_COLUMN, "neither a column nor a day"),
        (FrameRoles("bought", at="at", split="2020-01-01"), Code.SPLIT_EMPTY, "leaves 0 of 4 rows"),
    ],
)
def test_what_cannot_be_understood_is_told(roles, code, told):
    table = frame(words=["a", "b", "c", "d"], holes=[1, 2, None, 4], same=[1, 1, 1, 1])
    with pytest.raises(DataError, match=told) as caught:
        read_frame(table, roles)
    assert caught.value.code is code
