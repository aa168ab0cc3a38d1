"""The twenty planted cases, and the clean shop and frame in which nothing may be found."""

import pytest

from endcap.features.leakage import SHOP_LEAKS, find_leaks
from endcap.features.leakage_of_frame import FRAME_LEAKS, find_leaks_of_frame
from endcap.testing.leaky_frame import FRAME_MISTAKES, ROLES, clean_frame
from endcap.testing.leaky_shop import FEATURES, shop_tables
from endcap.testing.shop_mistakes import MISTAKES, broken_shop


def test_there_are_twenty_planted_cases():
    assert len(MISTAKES) + len(FRAME_MISTAKES) == 20


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_shops_tables_is_found_and_named(name, engine, clean, leaks_of):
    mistake = MISTAKES[name]
    found = leaks_of(broken_shop(engine, clean, name))
    assert {(each.name, each.table) for each in found} == {(mistake.leak, mistake.table)}
    assert all(0 < each.rows <= each.of_rows for each in found)


@pytest.mark.parametrize("name", FRAME_MISTAKES)
def test_a_mistake_in_a_frame_is_found_and_named(name):
    mistake = FRAME_MISTAKES[name]
    found = find_leaks_of_frame(mistake.make(clean_frame()), ROLES).findings
    assert [(each.name, each.column) for each in found] == [(mistake.leak, mistake.column)]


def test_a_clean_shop_has_no_finding(engine, clean):
    report = find_leaks(engine, shop_tables(engine, clean), FEATURES, click_events=["select_item"])
    assert report.findings == ()
    assert report.checks == SHOP_LEAKS
    assert report.num_rows > sum(len(clean[name]) for name in ("user_features", "item_features", "sequences"))


def test_a_clean_frame_has_no_finding():
    report = find_leaks_of_frame(clean_frame(), ROLES)
    assert report.findings == ()
    assert report.checks == FRAME_LEAKS


def test_a_sample_finds_what_is_everywhere_and_the_order_of_rows_does_not_matter(engine, clean, leaks_of):
    broken = broken_shop(engine, clean, "windows with <= the day")
    turned = {name: rows.take(list(range(len(rows)))[::-1]) for name, rows in broken.items()}
    one, other = (leaks_of(tables, num_users=30, num_items=3) for tables in (broken, turned))
    assert {each.name for each in one} == {"feature-counts-its-day"}
    assert [(each.column, each.rows) for each in one] == [(each.column, each.rows) for each in other]
