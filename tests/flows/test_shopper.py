import pytest

from endcap.core.clock import day_start_us
from endcap.core.errors import Code, DataError
from endcap.core.tables import ITEMS, SEQUENCES
from endcap.flows.shopper import example_session

LAST_BUT_ONE, LAST = "2026-03-02", "2026-03-03"


def session(user, hour, items, *, day=LAST_BUT_ONE, scope="session"):
    at_us = [day_start_us(day) + hour * 3_600_000_000 + place for place in range(len(items))]
    names = ["view_item", "add_to_cart"] * len(items)
    return {
        "date_partition": day, "scope": scope, "user_key": user, "session_id": f"{user} {hour}", "started_us": at_us[0],
        "item_ids": list(items), "event_names": names[: len(items)], "event_ids": ["e"] * len(items),
        "at_us_list": at_us,
    }  # fmt: skip


def item(item_id, title, *, since=0, until=None):
    return {
        "item_id": item_id, "valid_from_us": since, "valid_to_us": until, "title": title, "availability": "in_stock",
        "origin": "events",
    }  # fmt: skip


@pytest.fixture
def shop(tmp_path, make_hand_made, put_rows):
    """A shop of items A to E and given sessions; D was renamed once."""

    def make(*sessions):
        root = make_hand_made(tmp_path / "hand", {})
        old, new = item("D", "Old dish", until=9), item("D", "Dish", since=9)
        put_rows(root, ITEMS, [*(item(each, f"Item {each}") for each in "ABCE"), old, new])
        put_rows(root, SEQUENCES, list(sessions))
        return root

    return make


def test_it_is_the_earliest_of_those_with_most_different_items(shop):
    root = shop(session("u3", 12, "CBA"), session("u1", 10, "ABAB"), session("u2", 11, "DDCA"))
    assert example_session(root) == [
        ("view_item", "D", "Dish"),
        ("add_to_cart", "D", "Dish"),
        ("view_item", "C", "Item C"),
        ("add_to_cart", "A", "Item A"),
    ]


def test_it_is_of_the_last_day_that_has_one_neither_too_short_nor_too_long(shop):
    root = shop(
        session("u1", 9, "ABCDE", day="2026-03-01"),
        session("u2", 10, "ABB"),
        session("u1", 11, "ABCDEABCD"),
        session("u3", 10, "AB", day=LAST),
    )
    assert [item_id for _, item_id, _ in example_session(root)] == ["A", "B", "B"]


def test_what_a_user_did_before_the_day_is_no_session(shop):
    root = shop(session("u1", 9, "ABCD", scope="user"), session("u1", 10, "EEE"))
    assert [item_id for _, item_id, _ in example_session(root)] == ["E", "E", "E"]


def test_it_names_no_user(tiny_shop, rows_of):
    found = example_session(tiny_shop)
    users = {row["user_key"] for row in rows_of(tiny_shop, SEQUENCES)}
    assert 3 <= len(found) <= 8
    assert users.isdisjoint(word for event in found for word in event)
    assert {len(event) for event in found} == {3}


def test_titles_are_those_of_the_catalogue(tiny_shop):
    lines = (tiny_shop / "export" / "catalog.tsv").read_text().splitlines()[1:]
    titles = dict(line.split("\t")[:2] for line in lines)
    found = example_session(tiny_shop)
    assert [title for _, _, title in found] == [titles[item_id] for _, item_id, _ in found]


@pytest.mark.parametrize("items", ["AB", "ABCDEABCD"])
def test_a_shop_without_such_a_session_says_what_to_do(items, shop):
    with pytest.raises(DataError, match="no session has 3 to 8 events") as caught:
        example_session(shop(session("u1", 10, items)))
    assert (caught.value.code, caught.value.fix) == (Code.SPLIT_EMPTY, "run `endcap refresh` on more days")
