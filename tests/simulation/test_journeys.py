import itertools
from collections import Counter

import numpy as np
import pytest

from endcap.simulation.catalogue import make_range
from endcap.simulation.journeys import LISTS, NAMES, shop_along
from endcap.simulation.visits import make_visits


@pytest.fixture(scope="module")
def world():
    goods = make_range(40, np.random.default_rng(1))
    visits = make_visits(600, 5, "2026-01-01", np.random.default_rng(2))
    return goods, visits, shop_along(goods, visits, np.random.default_rng(3))


@pytest.fixture(scope="module")
def told(world):
    """All events as (session, instant, name, list, items, quantities), in order of time within each session."""
    log = world[2]
    rows = [
        (s, at, NAMES[n], li, tuple(i[i >= 0].tolist()), tuple(q[i >= 0].tolist()))
        for part in zip(log.session, log.at_us, log.name, log.list_name, log.items, log.quantity, strict=True)
        for s, at, n, li, i, q in zip(*part, strict=True)
    ]
    return sorted(rows, key=lambda row: (row[0], row[1]))


def test_a_list_shows_eight_different_items(told):
    lists = [row for row in told if row[2] == "view_item_list"]
    assert {len(set(row[4])) for row in lists} == {8}
    assert {LISTS[row[3]] for row in lists} == set(LISTS)


def test_a_click_is_on_an_item_of_the_latest_list(told):
    shown = {}
    for session, _, name, _, items, _ in told:
        if name == "view_item_list":
            shown[session] = items
        elif name == "select_item":
            assert items[0] in shown[session]


def test_earlier_places_are_clicked_more(told):
    shown, clicks = {}, Counter()
    for session, _, name, _, items, _ in told:
        if name == "view_item_list":
            shown[session] = items
        elif name == "select_item":
            clicks[shown[session].index(items[0])] += 1
    assert clicks[0] > 1.5 * clicks[3] > 1.5 * clicks[7] > 0


def test_most_views_have_a_quickview_twin_within_two_seconds_and_a_few_quickviews_have_no_view(told):
    views = {(row[0], row[4]): row[1] for row in told if row[2] == "view_item"}
    num_views = sum(row[2] == "view_item" for row in told)
    twins = [row for row in told if row[2] == "quickview"]
    assert 0.85 * num_views < len(twins) < num_views
    assert any((row[0], row[4]) not in views for row in twins)


def test_what_is_bought_was_checked_out_and_put_into_the_cart_before(told):
    carted, tills = set(), set()
    for session, _, name, _, items, quantities in told:
        if name == "add_to_cart":
            carted.add((session, items[0]))
        if name == "begin_checkout":
            tills.add((session, items, quantities))
        if name == "purchase":
            assert (session, items, quantities) in tills
            assert {(session, item) for item in items} <= carted
    assert tills


def test_a_removed_item_is_not_bought(told):
    removed = {(row[0], row[4][0]) for row in told if row[2] == "remove_from_cart"}
    again = Counter((row[0], row[4][0]) for row in told if row[2] == "add_to_cart")
    bought = {(row[0], item) for row in told if row[2] == "purchase" for item in row[4]}
    assert removed
    assert all(again[pair] > 1 for pair in removed & bought)


def test_nothing_out_of_stock_goes_into_a_cart(world, told):
    in_stock = world[0].in_stock
    assert all(in_stock[row[4][0]] for row in told if row[2] == "add_to_cart")


def test_the_planted_followers_are_what_is_looked_at_next(world, told):
    follows = world[0].follows
    views = [(row[0], row[4][0]) for row in told if row[2] == "view_item"]
    steps = [(a, b) for (s, a), (t, b) in itertools.pairwise(views) if s == t]
    share = np.mean([follows[a, b] > 0 for a, b in steps])
    chance = np.mean(follows > 0)
    assert share > 5 * chance
