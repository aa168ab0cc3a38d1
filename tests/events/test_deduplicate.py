import pytest

DAY = "2026-08-01"
MUG, PEN = {"item_id": "mug", "price": 9.5}, {"item_id": "pen", "price": 1.0}


@pytest.fixture(scope="module")
def taken(tmp_path_factory, config, ga4_event, write_ga4, take_in):
    folder = tmp_path_factory.mktemp("drop")
    uuid = {"params": {"event_id": "0F8FAD5B-D9CB-469F-A165-70867728950E"}}
    copies = ((1, {"price": 1.0}), (2, MUG), (3, PEN))
    events = [
        ga4_event("view_item_list", 1, MUG, PEN),
        ga4_event("view_item_list", 1, MUG, PEN),
        ga4_event("view_item_list", 1, PEN, MUG),
        *[ga4_event("view_item", minute, item, **uuid) for minute, item in copies],
        ga4_event("search", 1, params={"event_id": "ann-1"}),
    ]
    write_ga4(folder, DAY, events)
    return take_in(folder, config)


def test_events_that_say_the_same_are_one_event(taken):
    assert taken.counts["view_item_list", "kept", ""] == (2, 4)
    assert taken.counts["view_item_list", "deduplicated", ""] == (1, 2)


def test_the_first_good_copy_of_an_id_stays(taken):
    [kept] = [row for row in taken.events if row["event_name"] == "view_item"]
    assert (kept["item_id"], kept["event_id"]) == ("mug", "0f8fad5bd9cb469fa16570867728950e")
    assert taken.counts["view_item", "deduplicated", ""] == (1, 1)
    assert taken.counts["view_item", "quarantined", "item_missing"] == (1, 1)


def test_an_id_that_is_no_uuid_is_digested(taken):
    [event] = [row for row in taken.events if row["event_name"] == "search"]
    assert len(event["event_id"]) == 32
    assert "ann" not in event["event_id"]
