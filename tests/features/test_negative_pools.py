"""Pools on tiny worlds; the draws themselves are tested in test_negatives."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.features.config import FeaturesConfig
from endcap.features.negative_pools import hard_pools, unclicked_pools
from endcap.features.negatives_config import HardNegatives, PopularityNegatives, UnclickedNegatives, UniformNegatives

DAYS = ["2016-09-01", "2016-09-02", "2016-09-03"]
UNCLICKED = UnclickedNegatives(num=30)
HARD = HardNegatives(num=30, model="two_tower", version="0123456789abcdef")


@pytest.fixture(scope="module")
def drawn(made, rows_of, minute):
    """The items drawn against each target of a tiny world, by kind: {(minute, target): {kind: items in order}}."""

    def drawn(text, days=DAYS, *, samplers=(UNCLICKED,), neighbours=None):
        config = FeaturesConfig(negatives=samplers)
        found = made(text, days, all_days=DAYS, config=config, features=False, neighbours=neighbours)["examples"]
        pools = {}
        for at_us, target, items, kinds in rows_of(found, "at_us", "item_id", "negative_item_ids", "negative_kinds"):
            told = {kind: {i for i, k in zip(items, kinds, strict=True) if k == kind} for kind in sorted(set(kinds))}
            pools[minute(at_us), target] = {kind: "".join(sorted(of)) for kind, of in told.items()}
        return pools

    return drawn


def test_unclicked_are_the_items_that_were_shown_before_and_never_taken_up(drawn):
    assert drawn("""
        ann 0  view_item_list A B C D E F G
        ann 1  view_item A
        ann 2  select_item C
        ann 3  view_item B
        ann 4  view_item_list H D
        ann 5  add_to_cart E
        ann 6  view_item_list I
    """) == {(3, "B"): {"unclicked": "DFG"}, (5, "E"): {"unclicked": "DFGH"}}  # fmt: skip


def test_a_list_of_the_very_instant_was_not_shown_before(drawn):
    world = ["ann 0 view_item A", "ann 1 view_item_list C", "ann 2 view_item_list D", "ann 2 view_item B"]
    assert drawn(world) == {(2, "B"): {"unclicked": "C"}}


def test_what_the_session_takes_up_later_was_not_turned_down(drawn):
    """An item clicked after the target is no negative, however it is taken up; as of the instant nobody knew."""
    world = ["ann 0 view_item_list B C D E F", "ann 1 view_item A", "ann 2 view_item B"]
    later = ["ann 3 select_item C", "ann 4 add_to_cart D", "ann 5 purchase E"]
    assert drawn(world)[2, "B"] == {"unclicked": "CDEF"}
    assert drawn(world + later)[2, "B"] == {"unclicked": "F"}


def test_lists_of_other_sessions_and_other_users_are_not_drawn_from(drawn):
    world = [
        "ann 0 view_item_list X",
        "bob 98 view_item_list Y",
        "ann 99 view_item_list C",
        "ann 100 view_item A",
        "ann 101 view_item B",
    ]
    assert drawn(world) == {(101, "B"): {"unclicked": "C"}}


def test_a_session_past_midnight_is_whole(drawn):
    world = ["ann 1438 view_item_list C D", "ann 1439 view_item A", "ann 1d+1 view_item_list E",
             "ann 1d+2 view_item B", "ann 1d+3 purchase D"]  # fmt: skip
    assert drawn(world) == {(1442, "B"): {"unclicked": "CE"}, (1443, "D"): {"unclicked": "CE"}}


def test_an_empty_pool_is_made_up_by_popularity_from_the_days_before(drawn):
    before = ["eve 0 view_item P", "eve 1 view_item Q"]
    found = drawn([*before, "ann 1d+0 view_item A", "ann 1d+1 view_item B"])
    assert found == {(1, "Q"): {}, (1441, "B"): {"popularity": "PQ"}}


@settings(max_examples=2, deadline=None, derandomize=True)
@given(data=st.data())
def test_lists_shown_later_other_sessions_and_other_days_change_no_draw(made, rows_of, data):
    """What was shown before, and what the session takes up, is all that counts."""
    past = ["ann 1d+0 view_item_list B C D E", "ann 1d+1 view_item A", "ann 1d+2 view_item B"]
    letters = st.lists(st.sampled_from("ABCDEFGH"), min_size=1, max_size=5, unique=True).map(" ".join)
    later = [f"ann 1d+{data.draw(st.integers(2, 20))} view_item_list {data.draw(letters)}" for _ in range(2)]
    names = st.sampled_from(["view_item_list", "select_item", "view_item", "purchase"])
    others = [f"{user} {at} {data.draw(names)} {data.draw(letters)}"
              for user, at in (("bob", "1d+1"), ("eve", "1d+3"), ("ann", "2d+0"), ("bob", "2d+9"))]  # fmt: skip
    config = FeaturesConfig(negatives=[UnclickedNegatives(num=3)])
    wanted = ("session_id", "position", "negative_item_ids", "negative_p", "negative_kinds")
    told = []
    for world in (past, [*others, *later, *past]):
        found = made(world, DAYS[1:2], all_days=DAYS, config=config, features=False)["examples"]
        told.append(rows_of(found.filter(found.user_key == "ann"), *wanted))
    assert told[0] == told[1]
    assert told[0][0][4] == ["unclicked"] * 3


def test_hard_are_the_neighbours_that_were_known_before_the_day(drawn):
    near = {"B": ["P", "New", "Q"], "D": []}
    before = ["eve 0 view_item P", "eve 1 view_item Q", "eve 2 view_item R"]
    world = [*before, "ann 1d+0 view_item A", "ann 1d+1 view_item B", "ann 1d+2 view_item D"]

    def neighbours(wanted):
        return pa.array([near.get(item, []) for item in wanted.to_pylist()], pa.list_(pa.string()))

    found = drawn(world, DAYS[1:2], samplers=[HARD], neighbours=neighbours)
    assert found == {(1441, "B"): {"hard": "PQ"}, (1442, "D"): {"popularity": "PQR"}}


def test_each_example_finds_the_pool_of_its_own_target():
    def neighbours(wanted):
        return pa.array([list(item * 2) for item in wanted.to_pylist()], pa.list_(pa.string()))

    pools = hard_pools(neighbours, pa.array(["A", "Z", "B", "A"]), pa.array(["A", "B"]))
    told = [pools.item_ids[a : a + n].to_pylist() for a, n in zip(pools.starts, pools.sizes, strict=True)]
    assert told == [["A", "A"], [], ["B", "B"], ["A", "A"]]


def test_without_anything_shown_all_pools_are_empty():
    nothing = pa.table({"session_id": pa.array([], pa.string()), "item_id": pa.array([], pa.string()),
                        "shown_us": pa.array([], pa.int64())})  # fmt: skip
    pools = unclicked_pools(nothing, pa.array(["s"]), np.zeros(2, np.int64), np.arange(2))
    assert pools.sizes.tolist() == [0, 0]


def test_all_kinds_together_keep_their_own_items(drawn):
    before = ["eve 0 view_item P"]
    world = [*before, "ann 1d+0 view_item_list C", "ann 1d+1 view_item A", "ann 1d+2 view_item B"]
    samplers = [UniformNegatives(num=3), UNCLICKED, PopularityNegatives(num=2), HARD]

    def neighbours(wanted):
        return pa.array([["P"]] * len(wanted), pa.list_(pa.string()))

    found = drawn(world, DAYS[1:2], samplers=samplers, neighbours=neighbours)
    assert found == {(1442, "B"): {"hard": "P", "popularity": "P", "unclicked": "C", "uniform": "P"}}
