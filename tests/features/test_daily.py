import pytest

from endcap.core.clock import DAY_US, day_start_us, days_between
from endcap.core.tables import SLATES
from endcap.features.daily import as_of_days, first_seen, item_days, user_days, windowed
from endcap.sessions.config import SessionsConfig
from endcap.sessions.exposures import find_exposures
from endcap.sessions.sessionize import sessionize

DAYS = days_between("2016-09-01", "2016-09-03")
CONFIG = SessionsConfig()
FIRST = day_start_us("2016-09-01") // DAY_US


@pytest.fixture
def shown(engine, world):
    """Events, sessions and exposures of a tiny world."""

    def shown(text):
        events = world(text)
        sessions = engine.materialise(sessionize(events, CONFIG, days=DAYS))
        exposures = find_exposures(events, sessions, engine.read_snapshot([], SLATES), CONFIG, days=DAYS)
        return events, sessions, engine.materialise(exposures)

    return shown


def counted_items(shown, rows_of, text):
    events, _, exposures = shown(text)
    found = item_days(events, exposures)
    names = ("num_exposures", "num_clicks", "num_views", "num_carts", "num_purchases", "price_minor")
    return [
        (item, DAYS.index(day), *counts) for item, day, *counts in rows_of(found, "item_id", "date_partition", *names)
    ]


def test_item_rows_are_counted_by_day(shown, rows_of):
    assert counted_items(shown, rows_of, """
        ann 0      view_item_list A@300 B
        ann 1      select_item A@300
        ann 2      view_item A@301
        bob 5      view_item A@100
        bob 6      add_to_cart A
        bob 7      purchase A B
        bob 1d+7   view_item B
    """) == [("A", 0, 1, 1, 2, 1, 1, 300), ("B", 0, 1, 0, 0, 0, 1, None), ("B", 1, 0, 0, 1, 0, 0, None)]  # fmt: skip


def test_the_median_price_of_two_is_rounded_down(shown, rows_of):
    assert counted_items(shown, rows_of, ["ann 0 view_item A@300", "ann 1 view_item A@303"])[0][-1] == 301


def test_the_median_price_is_that_of_the_currency_most_rows_name(shown, rows_of):
    assert counted_items(shown, rows_of, """
        ann 0 view_item A@1 currency=USD
        ann 1 view_item A@300 currency=JPY
        ann 2 view_item A@302 currency=JPY
        ann 3 view_item B@7 currency=USD
        ann 4 view_item B@5 currency=EUR
    """) == [("A", 0, 0, 0, 3, 0, 0, 301), ("B", 0, 0, 0, 2, 0, 0, 5)]  # fmt: skip


def test_a_click_after_midnight_was_not_known_at_midnight(shown, rows_of):
    world = ["ann 1430 view_item_list A B", "ann 1435 select_item A", "ann 1d+2 select_item B"]
    assert counted_items(shown, rows_of, world) == [
        ("A", 0, 1, 1, 0, 0, 0, None),
        ("B", 0, 1, 0, 0, 0, 0, None),
        ("B", 1, 0, 0, 0, 0, 0, None),
    ]


def test_a_click_after_midnight_that_names_its_slate_changes_nothing_of_the_evening(shown, rows_of):
    evening = [
        "ann 1400 view_item_list A slate=r1",
        "ann 1410 view_item_list A slate=r2",
        "ann 1425 select_item A slate=r2",
    ]
    known = counted_items(shown, rows_of, evening)
    assert known == [("A", 0, 2, 1, 0, 0, 0, None)]
    assert counted_items(shown, rows_of, [*evening, "ann 1d+5 select_item A slate=r1"])[:1] == known


def test_user_rows_are_counted_by_day(shown, rows_of):
    events, sessions, _ = shown("""
        ann 0      search
        ann 100    view_item A@300 B@100
        ann 1439   view_item C
        ann 1d+1   purchase A@300
    """)
    names = ("num_sessions", "num_views", "num_carts", "num_purchases", "viewed_price_minor", "num_priced")
    found = rows_of(user_days(events, sessions), "date_partition", *names)
    assert [(DAYS.index(day), *counts) for day, *counts in found] == [(0, 3, 3, 0, 0, 400, 2), (1, 0, 0, 0, 1, 0, 0)]


def test_an_item_is_first_seen_on_its_first_day(shown, rows_of):
    world = ["ann 1d+3 view_item A", "bob 2d+0 view_item A", "bob 2d+1 view_item B", "ann 0 search"]
    events, _, exposures = shown(world)
    days = item_days(events, exposures)
    assert rows_of(first_seen(days)) == [
        ("A", FIRST + 1),
        ("B", FIRST + 2),
    ]


def test_a_day_looks_back_on_the_thirty_days_before_it(world, engine, rows_of):
    events = world(["ann 0 view_item A"])
    daily = engine.materialise(user_days(events, sessionize(events, CONFIG, days=DAYS)))
    wanted = days_between("2016-08-31", "2016-10-02")
    seen = as_of_days(daily, wanted)
    assert [(day, age) for day, age in rows_of(seen, "date_partition", "age_days") if age in (1, 30)] == [
        ("2016-09-02", 1),
        ("2016-10-01", 30),
    ]
    assert rows_of(seen.aggregate(num=seen.count())) == [(30,)]
    assert rows_of(as_of_days(daily, []).count().as_table()) == [(0,)]
    sums = seen.group_by("date_partition").aggregate(**windowed(seen, ["num_views"]))
    totals = sums.aggregate(one=sums.num_views_1d.sum(), seven=sums.num_views_7d.sum(), thirty=sums.num_views_30d.sum())
    assert rows_of(totals) == [(1, 7, 30)]
