"""On the shop of three days of March, four days apart, that the fixture `hand` makes."""

import shutil

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from endcap.core.clock import fixed_clock
from endcap.core.tables import EVENTS, ITEM_FEATURES, SEQUENCES, SESSIONS, TABLES, USER_FEATURES
from endcap.flows.plans import union_of
from endcap.flows.refresh import refresh
from endcap.flows.shop import find_shop
from endcap.flows.wiring.batch import open_ledger

pytestmark = pytest.mark.slow

DATA = ("ingest", "sessionize", "featurize")
LATER = fixed_clock("2026-03-10T13:00:00")


def test_days_that_several_pending_days_need_are_named_once():
    assert union_of(["2026-03-02", "2026-03-01"], lambda day: ("2026-03-01", day)) == ["2026-03-01", "2026-03-02"]


def test_each_table_has_the_days_it_should(hand, flow_of):
    flow = flow_of(hand)
    for table in (EVENTS, SESSIONS, SEQUENCES):
        assert flow.days(table) == ["2026-03-01", "2026-03-05", "2026-03-09"]
    for table in (ITEM_FEATURES, USER_FEATURES):  # nothing is before the first day; the day after the last serves now
        assert flow.days(table) == ["2026-03-05", "2026-03-09", "2026-03-10"]


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
        "logins": ["2026-03-05"],
        "identities": ["2026-03-05"],
        "mentions": ["2026-03-05"],
        "quality": ["2026-03-05"],
        "sessions": ["2026-03-05"],
        "exposures": ["2026-03-05"],
        "daily": ["2026-03-05"],
        "item_features": ["2026-03-09", "2026-03-10"],
        "user_features": ["2026-03-09", "2026-03-10"],
        "sequences": ["2026-03-05", "2026-03-09"],  # the ninth has histories of what was before
        "examples": ["2026-03-05", "2026-03-09"],
    }


def test_a_late_event_writes_only_what_differs(late, hand, versions, flow_of):
    written = versions(hand)
    changed = {name for name, version in versions(late[0]).items() if version != written[name]}
    assert changed == {
        "events", "sessions", "quality", "user_days", "item_days", "elements",
        "user_features", "item_features", "sequences", "examples",
    }  # fmt: skip
    parts = flow_of(late[0]).ledger.parts(SEQUENCES.name)
    assert [part.version for part in parts.values()] == [0, 1, 0]  # u3 has no session on the ninth


def test_a_day_that_loses_its_events_loses_what_was_made_of_them(tmp_path, make_hand_made):
    days = {"2026-03-01": "10:00 u1 view_item A\n10:01 u1 view_item B", "2026-03-05": "10:00 u1 view_item A"}
    root, fresh = (make_hand_made(tmp_path / name, days) for name in ("mended", "fresh"))
    refresh(root, verbs=DATA, clock=LATER)
    for shop in (root, fresh):
        file = shop / "export" / "2026-03-01.csv"
        file.write_text(file.read_text().replace("2026-03-01", "2026-03-04"))
    shutil.copy2(root / "keys" / "user.key", fresh / "keys" / "user.key")
    for shop in (root, fresh):
        refresh(shop, verbs=DATA, clock=LATER)
    assert content_of(root) == content_of(fresh)


def content_of(root):
    with open_ledger(find_shop(root)) as ledger:
        tables = ("events", "sessions", "user_features", "item_features", "sequences", "examples")
        parts = {name: ledger.parts(name) for name in tables}
    return {name: {day: part.digest for day, part in held.items() if part.rows} for name, held in parts.items()}


MINUTES = st.sampled_from(["00:00", "00:02", "00:40", "12:00", "23:20", "23:58", "23:59"])
VISITS = st.lists(
    st.tuples(
        st.sampled_from(["2026-03-01", "2026-03-02", "2026-03-03"]), MINUTES, st.sampled_from(["d1", "d2"]),
        st.sampled_from(["", "", "ann", "bob"]),
        st.sampled_from(["view_item_list", "view_item", "select_item", "purchase"]), st.sampled_from("ABC"),
    ),
    min_size=4, max_size=16,
)  # fmt: skip


def write_visits(root, day, told):
    rows = [f"{day} {at}:00,{device},{user},{name},{item}" for on, at, device, user, name, item in told if on == day]
    text = "\n".join(["at,device,user,event,item", f"{day} 06:00:00,quiet,,search,", *rows])
    (root / "export" / f"{day}.csv").write_text(text + "\n")


def parts_of(root):
    with open_ledger(find_shop(root)) as ledger:
        held = {name: ledger.parts(name) for name in TABLES}
    return {f"{name}/{day}": part.digest for name, days in held.items() for day, part in days.items() if part.rows}


@settings(max_examples=1, deadline=None, derandomize=True, phases=[Phase.generate])  # four refreshes each
@given(told=VISITS, order=st.permutations(["2026-03-01", "2026-03-02", "2026-03-03"]))
def test_in_whatever_order_days_come_all_tables_are_as_if_they_had_come_at_once(
    told, order, make_hand_made, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("orders")
    at_once, by_day = (make_hand_made(folder / name, {}) for name in ("at_once", "by_day"))
    shutil.copy2(at_once / "keys" / "user.key", by_day / "keys" / "user.key")
    for root in (at_once, by_day):
        config = (root / "endcap.toml").read_text()
        (root / "endcap.toml").write_text(
            config.replace('device_id = "user"', 'device_id = "device"\nuser_id = "user"')
        )
    for day in order:
        write_visits(at_once, day, told)
        write_visits(by_day, day, reversed(told))
        refresh(by_day, verbs=DATA, clock=LATER)
    refresh(at_once, verbs=DATA, clock=LATER)
    assert parts_of(by_day) == parts_of(at_once)
    assert len(parts_of(at_once)) > 20
