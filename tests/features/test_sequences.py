import pytest

from endcap.core.clock import days_between
from endcap.core.tables import SEQUENCES
from endcap.engines.contracts import check_contract
from endcap.features.config import FeaturesConfig
from endcap.features.sequences import elements_of, sequences
from endcap.sessions.config import SessionsConfig
from endcap.sessions.sessionize import sessionize

DAYS = days_between("2016-09-01", "2016-10-10")


@pytest.fixture
def made(engine, world, rows_of, minute):
    """Sequences of a tiny world as (scope, day, user, minute of the first element, `item item ...`)."""

    def made(text, days, config=FeaturesConfig()):  # noqa: B008 - settings are frozen
        events = world(text)
        sessions = engine.materialise(sessionize(events, SessionsConfig(), days=DAYS))
        table = engine.materialise(sequences(elements_of(events, config), sessions, config, days=days))
        check_contract(engine, table, SEQUENCES)
        found = rows_of(table, "scope", "date_partition", "user_key", "started_us", "item_ids")
        return [(scope, day[5:], user, minute(first), " ".join(items)) for scope, day, user, first, items in found]

    return made


def test_a_session_tells_its_items_in_order_each_time_they_come(made):
    assert made("""
        ann 5  view_item_list Z
        ann 9  purchase C B
        ann 7  view_item A
        ann 8  add_to_cart A
        ann 7  view_item B
    """, ["2016-09-01"]) == [("session", "09-01", "ann", 7, "A B A B C")]  # fmt: skip


def test_the_lists_of_a_sequence_go_together(world, rows_of):
    events = world(["ann 7 view_item A B", "ann 8 purchase B"])
    config, sessions = FeaturesConfig(), sessionize(events, SessionsConfig(), days=DAYS)
    made = sequences(elements_of(events, config), sessions, config, days=["2016-09-01"])
    [(items, names, ids, at_us)] = rows_of(made, "item_ids", "event_names", "event_ids", "at_us_list")
    told = {(row[0], row[1], row[2], row[3]) for row in rows_of(events, "item_id", "event_name", "event_id", "at_us")}
    assert names == ["view_item", "view_item", "purchase"]
    assert set(zip(items, names, ids, at_us, strict=True)) == told


def test_a_session_without_sequence_events_has_no_sequence(made):
    assert made(["ann 5 view_item_list A", "ann 6 select_item A"], ["2016-09-01"]) == []


def test_which_events_count_is_a_setting(made):
    config = FeaturesConfig(sequence_events=("purchase",))
    assert made(["ann 5 view_item A", "ann 6 purchase B"], ["2016-09-01"], config) == [
        ("session", "09-01", "ann", 6, "B")
    ]


def test_a_session_is_whole_beyond_midnight_but_a_history_ends_there(made):
    world = ["ann 1430 view_item A", "ann 1d+5 view_item B", "ann 1d+500 view_item C"]
    assert made(world, ["2016-09-01", "2016-09-02"]) == [
        ("session", "09-01", "ann", 1430, "A B"),
        ("session", "09-02", "ann", 1940, "C"),
        ("user", "09-02", "ann", 1430, "A"),
    ]


def test_a_history_reaches_back_thirty_days_and_is_that_of_users_with_a_session(made):
    world = ["ann 0 view_item A", "ann 1d+0 view_item B", "bob 0 view_item C", "ann 30d+0 search", "ann 31d+0 search"]
    assert made(world, ["2016-10-01", "2016-10-02"]) == [
        ("user", "10-01", "ann", 0, "A B"),
        ("user", "10-02", "ann", 1440, "B"),
    ]


def test_a_history_keeps_the_latest(made):
    world = [f"ann {place} view_item {item}" for place, item in enumerate("ABCDE")] + ["ann 1d+0 search"]
    assert made(world, ["2016-09-02"], FeaturesConfig(max_sequence=3)) == [("user", "09-02", "ann", 2, "C D E")]
