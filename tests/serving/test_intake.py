import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.ids import user_key
from endcap.serving.intake import Intake

NOW_US = 1_789_900_000_000_000
KEY = bytes(32)


def take(*rows, default_currency="USD", now_us=NOW_US):
    intake = Intake(KEY, default_currency, 60_000_000)
    return intake.take([row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows], now_us=now_us)


def view(**more):
    return {"event_name": "view_item", "user_pseudo_id": "c", "items": [{"item_id": "A"}]} | more


def test_ids_are_hashed_in_their_name_spaces():
    (event,) = take(view(user_id="u")).events
    assert event.user_key == user_key(user_id="u", user_pseudo_id=None, key=KEY)
    assert event.device_key == user_key(user_id=None, user_pseudo_id="c", key=KEY)
    (event,) = take(view()).events
    assert event.user_key == event.device_key


def test_amounts_become_minor_units_of_their_currency():
    def minor(**more):
        (event,) = take(view(**more)).events
        return event.value_minor, event.currency

    assert minor(value=1.005, currency="eur") == (101, "EUR")
    assert minor(value=1200, currency="JPY") == (1200, "JPY")
    assert minor(value=3) == (300, "USD")
    assert minor() == (None, "USD")


def test_what_is_missing_is_filled_in():
    (event,) = take(view(items=[{"item_name": "Mug", "item_list_name": "Hats"}])).events
    assert (event.at_us, event.received_us) == (NOW_US, NOW_US)
    assert event.items[0].item_id == "Mug"
    assert event.item_list_id == "Hats"


REFUSED = {
    "event_name_unknown": view(event_name="viewed"),
    "user_missing": {"event_name": "view_item"},
    "at_out_of_range": view(event_timestamp=1_789_900_000),
    "at_in_future": view(event_timestamp=NOW_US + 60_000_001),
    "currency_unknown": view(value=1, currency="DOLLAR"),
    "item_missing": view(items=[{"price": 1}]),
    "field_unknown": view(items=[{"item_id": "A", "prise": 1}]),
    "field_missing": {"user_id": "u"},
    "field_type": view(event_timestamp="now"),
    "body_malformed": b"{",
}


@pytest.mark.parametrize("code", REFUSED)
def test_what_the_tables_would_refuse_is_refused_at_once(code):
    taken = take(REFUSED[code])
    assert taken.events == []
    assert [(each.row, each.code) for each in taken.rejected] == [(0, code)]
    assert taken.rejected[0].detail


@pytest.mark.parametrize(
    "row",
    [
        view(items=[{"item_id": "A", "price": -1}]),
        view(items=[{"item_id": "A", "quantity": 0}]),
        view(items=[{"item_id": ""}]),
        view(user_id=7),
        view(value="9.99"),
        view(items="A"),
        b"7",
        b"null",
        b'{"event_name": "view_item", "user_id": "\xff"}',
    ],
)
def test_types_and_ranges_are_checked(row):
    taken = take(row)
    assert (taken.events, len(taken.rejected)) == ([], 1)


def test_without_any_currency_amounts_are_refused():
    assert take(view(value=1), default_currency=None).rejected[0].code == "currency_missing"
    assert take(view(), default_currency=None).events[0].currency is None


def test_near_names_of_items_fields_are_told():
    assert "did you mean 'price'" in take(REFUSED["field_unknown"]).rejected[0].detail


def test_an_id_of_the_senders_is_kept_and_any_text_will_do():
    uuid = "8B0DBE3F-0C22-4B7E-9F8B-7D9A1C2B3D4E"
    assert take(view(event_id=uuid)).events[0].event_id == "8b0dbe3f0c224b7e9f8b7d9a1c2b3d4e"
    first, second = (take(view(event_id=text)).events[0].event_id for text in ("order 7", "order 8"))
    assert len(first) == len(second) == 32
    assert first != second


def test_equal_events_are_one_only_where_the_sender_says_when():
    timed = view(event_timestamp=NOW_US - 5)
    assert (len(take(timed, timed).events), take(timed, timed).num_twice) == (1, 1)
    assert take(timed, now_us=NOW_US).events[0].event_id == take(timed, now_us=NOW_US + 9).events[0].event_id
    assert len(take(view(), view()).events) == 2


@settings(max_examples=50)
@given(st.text(st.characters(codec="utf-8"), min_size=4, max_size=12), st.booleans())
def test_no_raw_id_is_in_what_comes_out(raw, is_user):
    name = "user_id" if is_user else "user_pseudo_id"
    for row in (view(**{name: raw}), view(**{name: raw, "value": "x"})):
        taken = take(row)
        told = repr([*taken.events, *taken.rejected])
        assert raw not in told or raw in repr([*take(view()).events, *take(view(value="x")).rejected])


ALIASES = ["recommendation_id", "RECOMMENDATION_ID", "attributionToken", "recommId", "ranking"]


@pytest.mark.parametrize("name", ALIASES)
def test_a_slate_may_be_named_as_other_systems_name_it(name):
    (event,) = take(view(**{name: "r1"})).events
    assert event.recommendation_id == "r1"
    assert take(view(**{name: 7})).rejected[0].code == "field_type"
    assert take(view(**{name + "x": "r1"})).rejected[0].code == "field_unknown"


def test_the_first_name_of_a_slate_counts():
    (event,) = take(view(**{name: name for name in ALIASES})).events
    assert event.recommendation_id == "recommendation_id"
    (event,) = take(view(recommendation_id="", ranking="r", recommId=None)).events
    assert event.recommendation_id == "r"


def under_a_key(*rows, key="k", now_us=NOW_US):
    rows = [json.dumps(row).encode() for row in rows]
    return [event.event_id for event in Intake(KEY, "USD", 0).take(rows, now_us=now_us, idempotency_key=key).events]


def test_an_event_without_an_id_gets_one_from_the_requests_key_and_its_place():
    first = under_a_key(view(), view())
    assert len(set(first)) == 2
    assert under_a_key(view(), view(), now_us=NOW_US + 9) == first
    assert not set(under_a_key(view(), view(), key="l")) & set(first)
    given = {"event_id": "8b0dbe3f0c224b7e9f8b7d9a1c2b3d4e"}
    assert under_a_key(view(**given), view()) == [given["event_id"], first[1]]


def test_visitors_who_hit_upon_the_same_key_do_not_lose_their_events():
    assert under_a_key(view()) != under_a_key(view(user_pseudo_id="d"))
    assert under_a_key(view()) != under_a_key(view(event_name="purchase"))
