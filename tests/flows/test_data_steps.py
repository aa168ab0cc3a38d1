"""Most of it on the shop of three days of March, four days apart, that the fixture `hand` makes.

| day | user | does |
| 1   | u1   | views A, then B |
| 5   | u1   | views C and puts it into the cart |
| 5   | u2   | views A, then B |
| 9   | u2   | views B, then C, and "dances", which is no event |
"""

import json
import shutil

import pytest

from endcap.core.clock import day_start_us, fixed_clock
from endcap.core.tables import (
    EVENTS,
    EXAMPLES,
    ITEM_FEATURES,
    ITEMS,
    QUARANTINE,
    SEQUENCES,
    SESSIONS,
    SLATES,
    USER_FEATURES,
)
from endcap.flows.data_steps import plan_ingest
from endcap.flows.refresh import refresh

DATA = ("ingest", "sessionize", "featurize")
LATER = fixed_clock("2026-03-10T13:00:00")


@pytest.fixture
def own_hand(tmp_path, hand):
    return shutil.copytree(hand, tmp_path / "hand")


def land(root, kind, name, *lines):
    folder = root / "landing" / kind
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))


def event(number, at, item_id):
    return {
        "event_id": f"{number:032x}", "event_name": "view_item", "at_us": day_start_us("2026-03-09") + at,
        "user_key": "ab" * 16, "items": [{"item_id": item_id}],
    }  # fmt: skip


def test_each_table_has_the_days_it_should(hand, flow_of):
    flow = flow_of(hand)
    for table in (EVENTS, SESSIONS, SEQUENCES):
        assert flow.days(table) == ["2026-03-01", "2026-03-05", "2026-03-09"]
    for table in (ITEM_FEATURES, USER_FEATURES):  # nothing is before the first day; the day after the last serves now
        assert flow.days(table) == ["2026-03-05", "2026-03-09", "2026-03-10"]


def test_features_of_the_day_after_the_last_know_all_days(hand, rows_of):
    windows = ("num_views_1d", "num_views_7d", "num_views_30d", "num_carts_7d", "days_since_seen")
    rows = rows_of(hand, USER_FEATURES, ["2026-03-10"])
    assert sorted(tuple(row[name] for name in windows) for row in rows) == [(0, 1, 3, 1, 5), (2, 4, 4, 0, 1)]
    rows = rows_of(hand, ITEM_FEATURES, ["2026-03-10"])
    told = ("item_id", "num_views_7d", "num_views_30d", "days_since_first_seen", "days_since_seen")
    assert [tuple(row[name] for name in told) for row in rows] == [
        ("A", 1, 2, 9, 5),
        ("B", 2, 3, 9, 1),
        ("C", 2, 2, 5, 1),
    ]


def test_a_session_and_what_its_user_did_before_stand_in_order(hand, rows_of):
    rows = rows_of(hand, SEQUENCES, ["2026-03-09"])
    assert [(row["scope"], row["item_ids"]) for row in rows] == [("session", ["B", "C"]), ("user", ["A", "B"])]


def test_examples_draw_their_negatives_from_the_days_before(hand, rows_of):
    rows = rows_of(hand, EXAMPLES)
    assert [(row["context_item_ids"], row["item_id"]) for row in rows] == [(["A"], "B"), (["A"], "B"), (["B"], "C")]
    assert [len(row["negative_item_ids"]) for row in rows] == [0, 4, 4]
    assert set(rows[1]["negative_item_ids"]) <= {"A", "B"}


@pytest.fixture(scope="module")
def late(tmp_path_factory, hand, write_day):
    """That shop after a view of u3 on the fifth came late, and the run that took it in."""
    root = shutil.copytree(hand, tmp_path_factory.mktemp("late") / "hand")
    write_day(root, "2026-03-05", "12:00 u3 view_item A", name="late")
    return root, refresh(root, verbs=DATA, clock=LATER).run_id


def test_a_late_event_does_again_only_the_days_that_it_touches(late, flow_of):
    root, run_id = late
    assert {row["step"]: row["partitions"] for row in flow_of(root).ledger.attempts(run_id=run_id)} == {
        "ingest": ["2026-03-05"],
        "items": [""],
        "sessions": ["2026-03-05"],
        "exposures": ["2026-03-05"],
        "item_features": ["2026-03-09", "2026-03-10"],
        "user_features": ["2026-03-09", "2026-03-10"],
        "sequences": ["2026-03-05", "2026-03-09"],  # the ninth has histories of what was before
        "examples": ["2026-03-05", "2026-03-09"],
    }


def test_a_late_event_writes_only_what_differs(late, hand, versions, flow_of):
    written = versions(hand)
    changed = {name for name, version in versions(late[0]).items() if version != written[name]}
    assert changed == {"events", "sessions", "user_features", "item_features", "sequences", "examples"}
    parts = flow_of(late[0]).ledger.parts(SEQUENCES.name)
    assert [part.version for part in parts.values()] == [0, 1, 0]  # u3 has no session on the ninth


def test_events_that_are_there_already_change_nothing(own_hand, versions, flow_of):
    written = versions(own_hand)
    export = own_hand / "export"
    shutil.copy(export / "2026-03-05.csv", export / "copy.csv")
    told = refresh(own_hand, verbs=DATA, clock=LATER)
    assert versions(own_hand) == written
    assert [row["step"] for row in flow_of(own_hand).ledger.attempts(run_id=told.run_id)] == ["ingest"]


def test_every_row_read_is_counted_and_a_bad_one_is_in_quarantine(hand, rows_of, flow_of):
    (bad,) = rows_of(hand, QUARANTINE)
    assert (bad["date_partition"], bad["event_name"], bad["source_row"]) == ("2026-03-09", "dance", 2)
    counts = flow_of(hand).ledger.outputs("ingest")["2026-03-09"]["counts"]
    assert (counts["view_item"]["rows_read"], counts["view_item"]["rows_kept"]) == (2, 2)
    assert counts["dance"]["rows_read"] == counts["dance"][f"rows_quarantined:{bad['reason']}"] == 1


@pytest.mark.parametrize(("through", "days"), [("", 3), ("2026-03-09", 3), ("2026-03-08", 2), ("2026-02-28", 0)])
def test_days_after_the_last_one_asked_for_are_not_planned(through, days, hand, flow_of):
    assert list(plan_ingest(flow_of(hand, through))) == ["2026-03-01", "2026-03-05", "2026-03-09"][:days]


def test_what_the_server_has_logged_is_taken_in_where_its_segment_is_complete(own_hand, rows_of):
    land(own_hand, "events", "w0-1.jsonl", event(1, 5, "A"), event(1, 5, "A"))
    land(own_hand, "events", "w0-2.jsonl.open", event(2, 6, "B"))
    refresh(own_hand, verbs=("ingest",), clock=LATER)
    landed = [row for row in rows_of(own_hand, EVENTS, ["2026-03-09"]) if row["user_key"] == "ab" * 16]
    assert [(row["event_id"], row["item_id"]) for row in landed] == [(f"{1:032x}", "A")]


def test_slates_that_the_server_has_logged_become_a_row_a_place(own_hand, rows_of, versions):
    items = [
        {"item_id": item, "place": place, "score": 1.0 / place, "source": "popular", "propensity": 1.0}
        for place, item in enumerate("BA", 1)
    ]
    slate = {"at_us": day_start_us("2026-03-09") + 7, "placement": "home", "model_version": "b1", "items": items}
    land(own_hand, "slates", "w0-1.jsonl", slate | {"recommendation_id": "r1"}, slate | {"recommendation_id": "r1"})
    refresh(own_hand, verbs=("ingest",), clock=LATER)
    rows = rows_of(own_hand, SLATES, ["2026-03-09"])
    assert [(row["recommendation_id"], row["place"], row["item_id"]) for row in rows] == [
        ("r1", 1, "B"),
        ("r1", 2, "A"),
    ]
    written = versions(own_hand)
    assert {report.state for report in refresh(own_hand, verbs=("ingest",), clock=LATER).steps} == {"unchanged"}
    land(own_hand, "slates", "w0-2.jsonl", slate | {"recommendation_id": "r2"})
    refresh(own_hand, verbs=("ingest",), clock=LATER)
    assert len(rows_of(own_hand, SLATES, ["2026-03-09"])) == 4
    assert versions(own_hand) == written | {"slates": written["slates"] + 1}


def test_a_new_price_of_the_feed_holds_from_the_last_day_on(own_shop, rows_of, morning):
    feed = own_shop / "export" / "catalog.tsv"
    head, first, *rest = feed.read_text().splitlines()
    cells = dict(zip(head.split("\t"), first.split("\t"), strict=True))
    dearer = "\t".join((cells | {"price": "987.65 USD"}).values())
    feed.write_text("\n".join([head, dearer, *rest, "\t".join(cells.values())]) + "\n")  # and a second row of the item
    refresh(own_shop, verbs=("ingest",), clock=morning)
    old, new = [row for row in rows_of(own_shop, ITEMS) if row["item_id"] == cells["id"]]
    assert (old["valid_from_us"], old["valid_to_us"]) == (0, day_start_us("2026-01-03"))
    assert (new["valid_from_us"], new["valid_to_us"]) == (day_start_us("2026-01-03"), None)
    assert new["price_minor"] == 98_765 != old["price_minor"]
    assert [row["item_id"] for row in rows_of(own_shop, QUARANTINE, ["feed"])] == [cells["id"]]
