import numpy as np
import pyarrow as pa
import pytest

from endcap.features.leakage_frame import FrameRoles, read_frame
from endcap.features.leakage_of_groups import leaks_of_groups
from endcap.testing.leaky_frame import ROLES, clean_frame

FRAME = clean_frame(seed=8)
ITEM = np.unique(FRAME["item_id"].to_pylist(), return_inverse=True)[1]
SESSION = np.unique(FRAME["session_id"].to_pylist(), return_inverse=True)[1]
BOUGHT = np.asarray(FRAME["bought"].cast(pa.int8()), float)
PRICE = np.asarray(FRAME["price"], float)
TRAINING = np.array([part == "train" for part in FRAME["part"].to_pylist()])


def found(values, roles=ROLES):
    frame = read_frame(FRAME.append_column("made", pa.array(values)), roles)
    return [(each.name, each.column) for each in leaks_of_groups(frame, id_name=roles.id)]


def per(group, values):
    return np.bincount(group, weights=values)[group]


SIZE = per(ITEM, np.ones(len(ITEM)))
WHOLE = {
    "mean label": (per(ITEM, BOUGHT) / SIZE, "column-encodes-the-label"),
    "number of positive labels": (per(ITEM, BOUGHT), "column-encodes-the-label"),
    "mean of the other labels": ((per(ITEM, BOUGHT) - BOUGHT) / (SIZE - 1), "column-encodes-the-label"),
    "mean label of training": (
        per(ITEM, BOUGHT * TRAINING) / per(ITEM, TRAINING * 1.0), "column-encodes-the-label"),
    "mean price": (per(ITEM, PRICE) / SIZE, "column-aggregates-later-rows"),
    "sum of prices": (per(ITEM, PRICE), "column-aggregates-later-rows"),
    "greatest price": (np.array([PRICE[item == ITEM].max() for item in ITEM]), "column-aggregates-later-rows"),
    "median price": (np.array([np.median(PRICE[item == ITEM]) for item in ITEM]), "column-aggregates-later-rows"),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_known_of_a_whole_group_only_is_found(name):
    values, leak = WHOLE[name]
    assert found(values) == [(leak, "made")]


def test_a_number_of_rows_still_to_come_is_found():
    at_us = np.asarray(FRAME["at_us"], np.int64)
    left = [int(((session == SESSION) & (at_us > at)).sum()) for session, at in zip(SESSION, at_us, strict=True)]
    assert found(left) == [("column-aggregates-later-rows", "made")]


def test_counts_so_far_and_numbers_of_an_earlier_time_are_clean():
    so_far = np.zeros(len(ITEM), int)
    seen = {}
    for row, item in enumerate(ITEM):  # rows stand in order of time
        so_far[row] = seen.get(item, 0)
        seen[item] = so_far[row] + 1
    assert found(so_far) == []
    earlier = np.random.default_rng(1).integers(10, 400, 60)[ITEM]
    assert found(earlier) == []


def test_the_size_of_a_list_shown_at_one_instant_is_known_then():
    slate = np.repeat(np.arange(300), np.random.default_rng(2).integers(2, 9, 300))
    table = pa.table({
        "slate": [str(each) for each in slate], "at": slate * 10**6 + 10**15, "size": per(slate, np.ones(len(slate))),
        "bought": np.arange(len(slate)) % 3 == 0,
    })  # fmt: skip
    frame = read_frame(table, FrameRoles("bought", at="at", id="slate"))
    assert list(leaks_of_groups(frame, id_name="slate")) == []


def test_without_instants_nothing_is_said():
    assert found(SIZE, FrameRoles("bought", id="session_id")) == []
