"""Tables written by hand. Instants are microseconds after the start of 2026-03-01; users are u1, u2."""

import itertools

import numpy as np
import pytest

from endcap.core.clock import DAY_US, day_start_us
from endcap.core.sequences import EVENT_KINDS
from endcap.core.tables import EXAMPLES, ITEMS, SEQUENCES
from endcap.flows.model_data import read_histories, read_items, read_model_data

DAY_1, DAY_2 = "2026-03-01", "2026-03-02"
START = day_start_us(DAY_1)
KINDS = {"u": "uniform", "p": "popularity", "c": "unclicked", "h": "hard"}


def item(item_id, *, since=0, until=None, **told):
    return {
        "item_id": item_id, "valid_from_us": since, "valid_to_us": until, "title": f"Item {item_id}",
        "availability": "in_stock", "origin": "events", **told,
    }  # fmt: skip


def sequence(user, session_id, items, *, at=0, day=DAY_1, scope="session"):
    at_us = [START + at + place for place in range(len(items))]
    return {
        "date_partition": day, "scope": scope, "user_key": user, "session_id": session_id, "started_us": at_us[0],
        "item_ids": list(items), "event_names": ["view_item"] * len(items), "event_ids": ["e"] * len(items),
        "at_us_list": at_us,
    }  # fmt: skip


def example(session_id, position, target, negatives, *, day=DAY_1, kinds="p", chance=0.25):
    """Kinds stand by their first letters: upop is uniform, popularity, ... the last one for all the rest."""
    kinds = [KINDS[kind] for kind in kinds.ljust(len(negatives), kinds[-1])[: len(negatives)]]
    return {
        "date_partition": day, "session_id": session_id, "position": position, "user_key": "u1", "at_us": START,
        "context_item_ids": ["A"], "item_id": target, "event_name": "view_item", "carted": False, "purchased": False,
        "negative_item_ids": list(negatives), "negative_p": [chance] * len(negatives),
        "negative_kinds": kinds,
    }  # fmt: skip


@pytest.fixture
def flow_with(tmp_path, make_hand_made, put_rows, flow_of):
    """Open the flow of a shop of given rows; by default its items are A, B and C."""
    numbers = itertools.count()

    def make(*, items=None, sequences=(), examples=(), through=DAY_1):
        root = make_hand_made(tmp_path / f"hand{next(numbers)}", {})
        items = [item(each) for each in "CAB"] if items is None else items
        for table, rows in ((ITEMS, items), (SEQUENCES, sequences), (EXAMPLES, examples)):
            if rows:
                put_rows(root, table, rows)
        return flow_of(root, through)

    return make


def histories(flow):
    keys, starts, told = read_histories(flow, read_items(flow)["item_id"])
    return {
        key: "".join("ABC"[each] for each in told.items[starts[at] : starts[at + 1]]) for at, key in enumerate(keys)
    }


def test_an_items_number_is_its_place_among_the_ids(flow_with):
    assert read_model_data(flow_with()).catalogue.item_ids == ("A", "B", "C")


@pytest.mark.parametrize(("through", "price"), [(DAY_1, 100), (DAY_2, 200)])
def test_the_version_of_an_item_that_counts_is_the_one_at_the_end_of_the_last_day(through, price, flow_with):
    noon = START + DAY_US + DAY_US // 2
    flow = flow_with(
        items=[item("A", until=noon, price_minor=100), item("A", since=noon, price_minor=200)], through=through
    )
    assert read_items(flow)["price_minor"].to_pylist() == [price]


def test_a_version_that_begins_at_midnight_counts_from_the_new_day_on(flow_with):
    midnight = START + DAY_US
    items = [item("A", until=midnight, title="old"), item("A", since=midnight, title="new")]
    assert read_items(flow_with(items=items))["title"].to_pylist() == ["old"]
    assert read_items(flow_with(items=items, through=DAY_2))["title"].to_pylist() == ["new"]


def test_what_no_item_has_is_none_and_what_one_lacks_is_empty(flow_with):
    flow = flow_with(items=[item("A", category="Mugs", price_minor=5), item("B")])
    catalogue = read_model_data(flow).catalogue
    assert (catalogue.categories, catalogue.brands) == (("Mugs", ""), None)
    assert catalogue.prices == (5, -1)


def test_sessions_stand_in_order_of_their_start_and_users_are_numbered_by_their_first(flow_with):
    flow = flow_with(
        sequences=[
            sequence("u1", "s2", "CA", at=50),
            sequence("u2", "s1", "AB", at=10),
            sequence("u2", "s3", "B", at=90),
            sequence("u1", "", "ABC", at=1, scope="user"),
        ]
    )
    found = read_model_data(flow).sequences
    assert found.items.tolist() == [0, 1, 2, 0, 1]
    assert found.starts.tolist() == [0, 2, 4, 5]
    assert found.users.tolist() == [0, 1, 0]
    assert (found.at_us - START).tolist() == [10, 11, 50, 51, 90]


def test_days_after_the_last_one_are_not_learnt_from(flow_with):
    rows = [sequence("u1", "s1", "AB"), sequence("u1", "s2", "CC", at=DAY_US, day=DAY_2)]
    flow = flow_with(sequences=rows)
    assert read_model_data(flow).sequences.items.tolist() == [0, 1]
    assert histories(flow) == {"u1": "AB"}
    flow.through = DAY_2
    assert histories(flow) == {"u1": "ABCC"}


def test_negatives_stand_beside_the_element_that_opens_their_position(flow_with):
    flow = flow_with(  # A A B A: position 1 is B, position 2 the last A
        sequences=[sequence("u1", "s1", "AABA")],
        examples=[example("s1", 1, "B", "CA"), example("s1", 2, "A", "BC")],
    )
    found = read_model_data(flow).sequences
    assert found.negatives.tolist() == [[-1, -1], [-1, -1], [2, 0], [1, 2]]
    assert found.negative_p.tolist() == [[1, 1], [1, 1], [0.25, 0.25], [0.25, 0.25]]


def test_examples_without_negatives_and_of_unknown_sessions_are_passed_over(flow_with):
    flow = flow_with(
        sequences=[sequence("u1", "s1", "AB"), sequence("u1", "s2", "BC", at=50)],
        examples=[example("s1", 1, "B", ""), example("s2", 1, "C", "A"), example("s9", 1, "C", "A")],
    )
    assert read_model_data(flow).sequences.negatives.tolist() == [[-1], [-1], [-1], [0]]


def test_draws_from_pools_stand_apart_and_weigh_by_their_pool(flow_with):
    flow = flow_with(
        sequences=[sequence("u1", "s1", "ABA")],
        examples=[
            example("s1", 1, "B", "CACC", kinds="pcch"),
            example("s1", 2, "A", "BC", kinds="uc"),
        ],
    )
    found = read_model_data(flow).sequences
    assert found.negatives.tolist() == [[-1], [2], [1]]
    assert found.negative_p.tolist() == [[1], [0.25], [0.25]]
    # Two draws of one in four stand for two items each, one draw for four.
    assert found.pool_negatives.tolist() == [[-1, -1, -1], [0, 2, 2], [2, -1, -1]]
    assert found.pool_weights.tolist() == [[1, 1, 1], [2, 2, 4], [4, 1, 1]]


def test_draws_from_pools_alone_leave_no_others(flow_with):
    flow = flow_with(sequences=[sequence("u1", "s1", "AB")], examples=[example("s1", 1, "B", "C", kinds="c")])
    found = read_model_data(flow).sequences
    assert found.negatives is None
    assert found.pool_negatives.tolist() == [[-1], [2]]


def test_without_any_negatives_there_are_none(flow_with):
    found = read_model_data(flow_with(sequences=[sequence("u1", "s1", "AB")])).sequences
    assert found.negatives is None
    assert found.negative_p is None
    assert found.pool_negatives is None


def test_a_history_keeps_the_last_50_items_oldest_first(flow_with):
    rows = [
        sequence("u2", "s1", "A"),
        sequence("u1", "s2", "ABC" * 15, at=100),
        sequence("u1", "s3", "CBA" * 5, at=900),
        sequence("u1", "", "B" * 50, at=1, scope="user"),
    ]
    found = histories(flow_with(sequences=rows))
    assert list(found) == ["u1", "u2"]  # ascending: the server searches them by halves
    assert found == {"u1": ("ABC" * 15 + "CBA" * 5)[-50:], "u2": "A"}


def test_a_history_tells_what_was_done_with_each_item_and_when(flow_with):
    bought = sequence("u1", "s2", "BC", at=50) | {"event_names": ["purchase", "add_to_wishlist"]}
    flow = flow_with(sequences=[sequence("u1", "s1", "A"), bought])
    _, _, told = read_histories(flow, read_items(flow)["item_id"])
    assert [EVENT_KINDS[kind] for kind in told.events] == ["view_item", "purchase", ""]
    assert (told.at_us - START).tolist() == [0, 50, 51]


def test_without_sessions_nobody_has_a_history(flow_with):
    flow = flow_with()
    keys, starts, told = read_histories(flow, read_items(flow)["item_id"])
    assert (keys, starts.tolist(), len(told)) == ([], [0], 0)
    assert (told.items.dtype, told.events.dtype, told.at_us.dtype) == (np.int32, np.int8, np.int64)
    assert len(read_model_data(flow).sequences) == 0
