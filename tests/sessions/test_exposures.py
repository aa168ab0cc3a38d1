import numpy as np
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from endcap.core.clock import days_between
from endcap.core.tables import EXPOSURES, SLATES
from endcap.engines.contracts import check_contract
from endcap.engines.port import arrow_schema
from endcap.sessions.config import SessionsConfig
from endcap.sessions.exposures import find_exposures, needed_days, needed_session_days
from endcap.sessions.sessionize import sessionize

DAYS = days_between("2016-09-01", "2016-09-04")
CONFIG = SessionsConfig()
# Building an expression costs more than running it: few examples of many users each.
few = settings(max_examples=4, deadline=None, derandomize=True, phases=[Phase.generate])
FLAGS = ("clicked", "carted", "purchased")


@pytest.fixture(scope="module")
def exposures(engine, world):
    """Exposures of a tiny world."""

    def exposures(text, *, slates=(), config=CONFIG, days=DAYS):
        events = world(text)
        sessions = engine.materialise(sessionize(events, config, days=DAYS))
        served = engine.read_arrow(pa.Table.from_pylist(list(slates), arrow_schema(SLATES)))
        return find_exposures(events, sessions, served, config, days=days)

    return exposures


@pytest.fixture(scope="module")
def won(exposures, rows_of, minute):
    """What came of the exposures of a tiny world: (minute, row of the list, item, what came of it) where any did."""

    def won(text, **settings):
        found = rows_of(exposures(text, **settings), "at_us", "item_ordinal", "item_id", *FLAGS)
        told = [
            (minute(at_us), row, item, " ".join(name for name, flag in zip(FLAGS, flags, strict=True) if flag))
            for at_us, row, item, *flags in found
        ]
        return [each for each in told if each[-1]]

    return won


def test_every_item_of_a_list_is_an_exposure(engine, exposures, rows_of):
    found = exposures(["ann 0 view_item_list A#4 B list=Sale", "ann 1 view_item_list A#0"])
    check_contract(engine, engine.materialise(found), EXPOSURES)
    assert rows_of(found, "item_id", "place", "item_list_id", "clicked") == [
        ("A", 1, None, False),
        ("A", 4, "Sale", False),
        ("B", 2, "Sale", False),
    ]


def test_a_click_belongs_to_the_latest_earlier_list_with_the_item(won):
    world = """
        ann 0 view_item_list A B
        ann 1 view_item_list B A
        ann 2 view_item_list B
        ann 3 select_item A
        ann 4 view_item_list A
    """
    assert won(world) == [(1, 2, "A", "clicked")]
    assert won(world, config=SessionsConfig(attribution="first")) == [(0, 1, "A", "clicked")]


def test_an_outcome_that_names_its_slate_belongs_to_it_whatever_came_later(won):
    world = """
        ann 0 view_item_list A slate=r1
        ann 1 view_item_list A slate=r2
        ann 2 view_item_list A
        ann 3 select_item A slate=r1
        ann 4 add_to_cart A slate=r2
        ann 5 purchase A slate=unheard-of
    """
    assert won(world) == [(0, 1, "A", "clicked"), (1, 1, "A", "carted"), (2, 1, "A", "purchased")]


@pytest.mark.parametrize(("minutes", "clicked"), [(0, True), (9, False), (10, True)])
def test_an_outcome_counts_within_its_window(won, minutes, clicked):
    world = ["ann 0 view_item_list A", "ann 5 view_item_list B", "ann 10 select_item A", "ann 12 add_to_cart A"]
    came = [(0, 1, "A", "clicked carted" if clicked else "carted")]
    assert won(world, config=SessionsConfig(click_minutes=minutes)) == came


def test_the_first_list_is_the_first_within_the_window(won):
    world = ["ann 0 view_item_list A", "ann 5 view_item_list A", "ann 8 view_item_list A", "ann 10 add_to_cart A"]
    config = SessionsConfig(attribution="first", cart_minutes=6)
    assert won(world, config=config) == [(5, 1, "A", "carted")]


def test_what_no_earlier_list_showed_belongs_to_no_exposure(won):
    assert won(["ann 0 select_item A", "ann 1 view_item_list A", "bob 0 view_item_list B", "ann 2 select_item B"]) == []


def test_a_click_in_a_later_session_belongs_to_no_exposure(won):
    assert won(["ann 0 view_item_list A", "ann 31 select_item A"]) == []


def test_a_list_of_the_instant_of_the_click_comes_before_it(won):
    assert won(["ann 0 view_item_list A", "ann 0 select_item A"]) == [(0, 1, "A", "clicked")]


def test_an_item_that_a_list_shows_twice_wins_at_its_first_place(won):
    assert won(["ann 0 view_item_list B A A", "ann 1 select_item A"]) == [(0, 2, "A", "clicked")]


def test_clicks_carts_and_purchases_each_find_their_list(won):
    assert won("""
        ann 0 view_item_list A B
        ann 1 select_item A
        ann 2 view_item_list A
        ann 3 add_to_cart A
        ann 4 purchase A B
    """) == [(0, 1, "A", "clicked"), (0, 2, "B", "purchased"), (2, 1, "A", "carted purchased")]


def test_a_view_is_a_click_where_the_shop_says_so(won):
    world = ["ann 0 view_item_list A", "ann 1 view_item A"]
    assert won(world) == []
    assert won(world, config=SessionsConfig(click_events=("select_item", "view_item"))) == [(0, 1, "A", "clicked")]


def test_a_click_after_midnight_belongs_to_the_list_of_the_evening(won):
    world = ["ann 1435 view_item_list A", "ann 1d+5 select_item A"]
    assert won(world, days=["2016-09-01"]) == [(1435, 1, "A", "clicked")]
    assert won(world, days=["2016-09-02"]) == []


minutes = st.integers(1380, 1500)
names = st.sampled_from(["view_item_list", "view_item_list", "select_item", "add_to_cart", "purchase"])
items = st.lists(st.sampled_from("ABC"), min_size=1, max_size=3)
lines_of = st.lists(
    st.builds(
        lambda user, at, name, of: f"{user} {at} {name} {' '.join(of)}",
        st.sampled_from("uvwxyz"),
        minutes,
        names,
        items,
    ),
    min_size=1,
    max_size=150,
    unique=True,
)


@few
@given(lines=lines_of)
def test_credit_is_that_of_the_plain_rule(won, lines):
    first_order = sorted(lines, key=lambda line: int(line.split()[1]))
    # The plain rule knows no order within a minute beyond "lists first": ask for worlds without ties among lists.
    told = [line.split() for line in first_order]
    lists = [(user, at) for user, at, name, *_ in told if name == "view_item_list"]
    kept = [line for line in told if line[2] != "view_item_list" or lists.count((line[0], line[1])) == 1]
    assert won([" ".join(line) for line in kept]) == _plain(kept)


@settings(few, max_examples=2)
@given(lines=lines_of, seed=st.integers(0, 2**32))
def test_the_order_of_rows_does_not_matter(exposures, rows_of, lines, seed):
    shuffled = [lines[place] for place in np.random.default_rng(seed).permutation(len(lines))]
    assert rows_of(exposures(lines)) == rows_of(exposures(shuffled))


def slate(recommendation_id, item_id, propensity):
    return {"recommendation_id": recommendation_id, "item_id": item_id, "propensity": propensity, "variant": "b",
            "date_partition": "2016-09-01"}  # fmt: skip


def test_what_a_slate_of_ours_showed_has_its_propensity_and_variant(exposures, rows_of):
    slates = [slate("r1", "A", 0.25), slate("r2", "B", 0.5)]
    found = exposures("ann 0 view_item_list A B slate=r1\nann 5 view_item_list B", slates=slates)
    told = rows_of(found, "recommendation_id", "item_id", "propensity", "variant")
    assert told == [("r1", "A", 0.25, "b"), ("r1", "B", None, None), (None, "B", None, None)]


@settings(few, max_examples=2)
@given(lines=lines_of, attribution=st.sampled_from(["latest", "first"]))
def test_a_day_computed_from_the_days_around_it_equals_the_same_day_of_all_at_once(
    engine, world, rows_of, lines, attribution
):
    config = SessionsConfig(attribution=attribution)
    events = world(lines)
    sessions = engine.materialise(sessionize(events, config, days=DAYS))
    slates = engine.read_snapshot([], SLATES)
    at_once = rows_of(find_exposures(events, sessions, slates, config, days=DAYS))
    by_day = []
    for day in DAYS[:2]:
        near_events = events.filter(events.date_partition.between(*needed_days(day)))
        near_sessions = sessions.filter(sessions.date_partition.between(*needed_session_days(day)))
        by_day += rows_of(find_exposures(near_events, near_sessions, slates, config, days=[day]))
    assert sorted(by_day, key=repr) == at_once


def _plain(lines):
    """The rule, outcome by outcome: the latest list of the user's session that showed the item."""
    flags = {"select_item": "clicked", "add_to_cart": "carted", "purchase": "purchased"}
    won = {}
    for user, at, name, *of in lines:
        times = sorted({int(other[1]) for other in lines if other[0] == user and int(other[1]) <= int(at)})
        start = times[-1]
        while any(start - 30 <= earlier < start for earlier in times):
            start = min(earlier for earlier in times if start - 30 <= earlier)
        for item in of if name in flags else []:
            shown = [
                (int(when), items.index(item) + 1)
                for who, when, what, *items in lines
                if who == user and what == "view_item_list" and item in items and start <= int(when) <= int(at)
            ]
            if shown:
                won.setdefault((user, *max(shown), item), set()).add(flags[name])
    told = [(at, row, item, " ".join(f for f in FLAGS if f in found)) for (_, at, row, item), found in won.items()]
    return _as_rows(told, FLAGS)


def _as_rows(told, flags):
    """Sort as the fixture does: by minute, row, item and then the flags as booleans."""
    return sorted(
        told, key=lambda each: repr((each[0], each[1], each[2], *(flag in each[3].split() for flag in flags)))
    )
