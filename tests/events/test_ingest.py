import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endcap.core.clock import day_start_us
from endcap.core.errors import Code, EndcapError
from endcap.core.ids import user_key
from endcap.core.tables import EVENTS, QUARANTINE
from endcap.engines.contracts import check_contract

KEY = bytes(range(32))
DAY = "2026-08-01"
MUG, PEN = {"item_id": "mug", "price": 9.5}, {"item_id": "pen", "price": 1.0}


@pytest.fixture(scope="module")
def taken(tmp_path_factory, config, ga4_event, write_ga4, take_in):
    """A day on which everything happens, one event a minute."""
    folder = tmp_path_factory.mktemp("drop")
    huge, dear = {"item_id": "pen", "price": 1.0, "quantity": 10**16}, {"item_id": "mug", "price": 1500.0}
    events = [
        ga4_event("view_item_list", 1, MUG, PEN),
        ga4_event("search", 2),
        ga4_event("search", 3, user="ann@example.org"),
        ga4_event("add_to_cart", 4, MUG, huge),
        ga4_event("dance", 5, MUG, PEN),
        ga4_event("refund", 6, day="2099-01-01"),
        ga4_event("view_item", 7, dear, params={"currency": "JPY"}),
        ga4_event("view_item", 8, dear, params={"currency": "kwd"}),
    ]
    write_ga4(folder, DAY, events)
    return take_in(folder, config)


def _at(taken, minute):
    start = day_start_us(DAY)
    return [row for row in taken.events if row["at_us"] == start + minute * 60_000_000]


def _bad(taken, event_name):
    return next(row for row in taken.quarantine if row["event_name"] == event_name)


def test_tables_keep_their_contracts(taken, engine):
    check_contract(engine, engine.read_arrow(taken.events_table), EVENTS)
    check_contract(engine, engine.read_arrow(taken.quarantine_table), QUARANTINE)


def test_each_item_of_an_event_becomes_a_row(taken):
    told = [(row["item_ordinal"], row["item_id"], row["price_minor"]) for row in _at(taken, 1) + _at(taken, 2)]
    assert told == [(1, "mug", 950), (2, "pen", 100), (0, None, None)]
    assert taken.counts["view_item_list", "kept", ""] == (1, 2)
    assert taken.counts["search", "kept", ""] == (2, 2)


def test_ids_leave_as_keyed_hashes_only(taken):
    [anonymous], [known] = _at(taken, 2), _at(taken, 3)
    assert (
        anonymous["user_key"] == anonymous["device_key"] == user_key(user_id=None, user_pseudo_id="cookie-a", key=KEY)
    )
    assert known["user_key"] == user_key(user_id="ann@example.org", user_pseudo_id=None, key=KEY)
    assert known["device_key"] == anonymous["device_key"]


def test_a_bad_item_goes_to_quarantine_and_its_event_stays(taken):
    assert [row["item_id"] for row in _at(taken, 4)] == ["mug"]
    bad = _bad(taken, "add_to_cart")
    assert (bad["reason"], bad["source_file"], bad["item_ordinal"], bad["item_id"]) == (
        "quantity_out_of_range",
        "events_20260801.parquet",
        2,
        "pen",
    )
    assert bad["source_row"] == 3
    assert taken.counts["add_to_cart", "kept", ""] == (1, 1)
    assert taken.counts["add_to_cart", "quarantined", "quantity_out_of_range"] == (0, 1)


def test_an_event_that_is_bad_as_a_whole_is_quarantined_once(taken):
    bad = _bad(taken, "dance")
    assert (bad["reason"], bad["item_ordinal"], bad["detail"]) == ("event_name_unknown", 0, "event_name = dance")
    assert taken.counts["dance", "quarantined", "event_name_unknown"] == (1, 2)


def test_a_future_event_is_booked_on_the_day_of_its_file(taken):
    bad = _bad(taken, "refund")
    assert (bad["date_partition"], bad["reason"]) == (DAY, "at_in_future")


def test_amounts_are_minor_units_of_their_own_currency(taken):
    rows = _at(taken, 7) + _at(taken, 8)
    assert [(row["currency"], row["price_minor"]) for row in rows] == [("JPY", 1500), ("KWD", 1_500_000)]


def test_only_the_wanted_days_come_out(tmp_path, config, ga4_event, write_ga4, take_in):
    write_ga4(tmp_path, DAY, [ga4_event("search", 1)])
    write_ga4(tmp_path, "2026-08-02", [ga4_event("search", 1, day="2026-08-02")])
    taken = take_in(tmp_path, config, days=["2026-08-02"])
    assert {row["date_partition"] for row in taken.events} == {"2026-08-02"}
    assert taken.counts == {("search", "read", ""): (1, 1), ("search", "kept", ""): (1, 1)}


def test_a_price_written_as_text_is_read_where_it_is_a_number(tmp_path, config, ga4_event, write_ga4, take_in):
    day_two = "2026-08-02"
    write_ga4(tmp_path, DAY, [ga4_event("view_item", 1, MUG)])
    texts = [{"item_id": "mug", "price": "9.50"}, {"item_id": "pen", "price": "free"}]
    write_ga4(tmp_path, day_two, [ga4_event("view_item", 1, *texts, day=day_two)], price=pa.string())
    taken = take_in(tmp_path, config)
    assert [row["price_minor"] for row in taken.events] == [950, 950]
    assert [(row["reason"], row["detail"]) for row in taken.quarantine] == [("price_not_a_number", "price = free")]


def test_a_source_without_any_fold_is_read_too(tmp_path, config, ga4_event, write_ga4, take_in):
    write_ga4(tmp_path, DAY, [ga4_event("view_item", 1, MUG)])
    taken = take_in(tmp_path, config.model_copy(update={"folds": ()}))
    assert (len(taken.events), taken.quarantine) == (1, [])


def test_most_of_a_day_being_bad_is_an_error(tmp_path, config, ga4_event, write_ga4, take_in):
    write_ga4(tmp_path, DAY, [ga4_event("dance", 1)])
    with pytest.raises(EndcapError) as caught:
        take_in(tmp_path, config)
    assert caught.value.code == Code.TOO_MANY_BAD_ROWS


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_order_of_rows_and_copies_of_rows_do_not_matter(data, tmp_path_factory, config, ga4_event, write_ga4, take_in):
    names = st.sampled_from(["view_item", "quickview", "add_to_cart"])
    event = st.builds(
        lambda name, second, item, cookie: ga4_event(name, second / 60, item, cookie=cookie),
        names, st.integers(0, 8), st.sampled_from([MUG, PEN]), st.sampled_from(["cookie-a", "cookie-b"]),
    )  # fmt: skip
    events = data.draw(st.lists(event, min_size=1, max_size=8))
    shuffled = data.draw(st.permutations(events + events[:2]))
    plain, mixed = tmp_path_factory.mktemp("plain"), tmp_path_factory.mktemp("mixed")
    write_ga4(plain, DAY, events)
    write_ga4(mixed, DAY, shuffled)
    assert take_in(plain, config).events_table.equals(take_in(mixed, config).events_table)


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(1, 5))
def test_a_day_that_comes_in_two_files_gives_the_same_events(
    cut, tmp_path_factory, config, ga4_event, write_ga4, take_in
):
    events = [
        ga4_event(name, second / 60, MUG) for second, name in enumerate(["view_item", "quickview", "add_to_cart"] * 2)
    ]
    whole, parts = tmp_path_factory.mktemp("whole"), tmp_path_factory.mktemp("parts")
    write_ga4(whole, DAY, events)
    write_ga4(parts, DAY, events[:cut])
    write_ga4(parts, "2026-08-02", [*events[cut:], ga4_event("search", 5, day="2026-08-02")])
    assert take_in(whole, config).events == take_in(parts, config, days=[DAY]).events
