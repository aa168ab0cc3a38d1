from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.simulation.catalogue import BRANDS, STRENGTHS, make_catalogue, mean_of, quantiles_at, week_prices
from endcap.simulation.settings import make_world

SIZES = pytest.mark.parametrize("items", [10, 11, 15, 50, 1_296, 1_297, 2_700])
SEEDS = st.integers(0, 2**32)
LIVELY = make_world("small", items=2_700, days=70, seed=3)


@pytest.fixture(scope="module")
def goods():
    return make_catalogue(LIVELY)


@SIZES
def test_ids_are_ascending_and_different(items):
    ids = make_catalogue(make_world("small", items=items)).item_ids.to_pylist()
    assert len(ids) == items
    assert ids == sorted(set(ids))


def test_ids_have_four_digits_or_as_many_as_are_needed():
    assert make_catalogue(make_world("small", items=10)).item_ids.to_pylist()[::9] == ["P0001", "P0010"]
    assert make_catalogue(make_world("small", items=10_001)).item_ids.to_pylist()[::10_000] == ["P00001", "P10001"]


@SIZES
def test_titles_are_different_even_when_the_words_of_a_category_are_used_up(items):
    titles = make_catalogue(make_world("small", items=items)).titles.to_pylist()
    assert len(set(titles)) == items
    assert any(title.endswith(" No. 2") for title in titles) == (items > 1_296)
    assert any(title.endswith(" No. 3") for title in titles) == (items > 2_592)


def test_a_title_has_colour_material_and_noun_of_its_category(goods):
    hats = [number for number, each in enumerate(goods.category) if goods.categories[each] == "Apparel/Hats"]
    assert len(hats) == 225
    for number in hats:
        colour, material, noun = goods.titles[number].as_py().partition(" No.")[0].split(" ", 2)
        assert (colour, material) == (goods.colour[number].as_py(), goods.material[number].as_py())
        assert material in {"Wool", "Twill", "Corduroy"}
        assert noun in {"Cap", "Beanie", "Bucket Hat"}


@pytest.mark.parametrize(("items", "categories"), [(10, 2), (11, 2), (12, 3), (47, 11), (48, 12), (100, 12)])
def test_a_category_has_at_least_four_items_so_that_tiny_ranges_have_fewer_of_them(items, categories):
    goods = make_catalogue(make_world("small", items=items))
    sizes = np.bincount(goods.category)
    assert len(goods.categories) == len(sizes) == categories
    assert sizes.min() >= 4
    assert sizes.max() - sizes.min() <= 1


@settings(max_examples=25, deadline=None)
@given(items=st.integers(10, 300), seed=SEEDS)
def test_an_item_leads_to_three_of_the_next_category_and_one_of_its_own_and_never_to_itself(items, seed):
    goods = make_catalogue(make_world("small", items=items, seed=seed))
    assert goods.complements.shape == (items, len(STRENGTHS))
    assert (goods.complements != np.arange(items)[:, None]).all()
    steps = (goods.category[goods.complements] - goods.category[:, None]) % len(goods.categories)
    assert (steps == [1, 1, 1, 0]).all()


def test_the_strengths_of_complements_sum_to_one():
    assert STRENGTHS.sum() == pytest.approx(1)


def test_popular_items_are_complements_more_often(goods):
    times = np.bincount(goods.complements.ravel(), minlength=len(goods.weight))
    popular = goods.weight > np.quantile(goods.weight, 0.9)
    assert times[popular].mean() > 2 * times[~popular].mean()


def test_weights_have_a_mean_of_one_and_the_distribution_of_the_world(goods):
    shares = (np.arange(2_700) + 0.5) / 2_700
    told = quantiles_at(LIVELY.item_weights, shares)
    assert goods.weight.mean() == pytest.approx(1)
    assert np.sort(goods.weight) == pytest.approx(told / told.mean())


def test_prices_and_costs_are_positive_and_a_price_covers_its_cost(goods):
    assert (goods.cost_minor > 0).all()
    assert (goods.price_minor % 50 == 49).all()
    assert (goods.cost_minor < goods.price_minor).all()


def test_prices_lie_around_the_typical_one_of_the_category_rounded_to_end_in_49(goods):
    """Mean and deviation of 2,700 logarithms, within 4 standard errors (and what rounding adds)."""
    apart = np.log((goods.price_minor - 49) / goods.typical_minor)
    assert abs(apart.mean()) < 4 * 0.35 / np.sqrt(2_700) + 0.001
    assert abs(apart.std() - 0.35) < 4 * 0.35 / np.sqrt(2 * 2_700) + 0.002


def test_about_one_price_in_a_hundred_is_missing_from_the_feed(goods):
    """27 are expected, within 4 standard errors."""
    assert 6 <= (~goods.is_priced).sum() <= 48


def test_brands_are_places_in_the_list_of_brands(goods):
    assert set(goods.brand.tolist()) == set(range(len(BRANDS)))


def test_the_same_seed_gives_the_same_range_and_another_seed_another():
    one, again, other = (make_catalogue(make_world("small", items=50, seed=seed)) for seed in (1, 1, 2))
    for name in ("category", "price_minor", "cost_minor", "weight", "complements", "first_week", "brand"):
        assert (getattr(one, name) == getattr(again, name)).all()
    assert one.titles.equals(again.titles)
    assert not one.titles.equals(other.titles)
    assert (one.price_minor != other.price_minor).any()


def test_a_range_that_does_not_change_is_all_there_always():
    goods = make_catalogue(make_world("stationary", items=200))
    assert all(goods.is_sold_in(week).all() for week in (0, 1, 500))


def test_items_are_launched_and_delisted_within_the_worlds_weeks_and_all_are_sold_some_time(goods):
    is_new, is_gone = goods.first_week > 0, goods.end_week < 10
    assert ((goods.first_week >= 0) & (goods.first_week < 10)).all()
    assert (goods.first_week < goods.end_week).all()
    assert not (is_new & is_gone).any()
    assert 0.04 < is_new.mean() < 0.08  # 6 % and 3 %, within 4 standard errors
    assert 0.016 < is_gone.mean() < 0.044


def test_an_item_is_sold_from_its_launch_until_it_is_delisted(goods):
    sold = np.array([goods.is_sold_in(week) for week in range(10)])
    changes = np.diff(sold.astype(int), axis=0)
    assert (np.abs(changes).sum(axis=0) <= 1).all()
    launched, delisted = np.flatnonzero(changes.max(axis=0) > 0), np.flatnonzero(changes.min(axis=0) < 0)
    assert (np.argmax(changes[:, launched] > 0, axis=0) + 1 == goods.first_week[launched]).all()
    assert (np.argmin(changes[:, delisted], axis=0) + 1 == goods.end_week[delisted]).all()
    assert len(launched) > 100
    assert len(delisted) > 50


def test_a_promotion_lowers_prices_by_a_tenth_to_three_tenths_in_part_of_a_category(goods):
    prices = np.array([week_prices(LIVELY, goods, week) for week in range(10)])
    assert (prices <= goods.price_minor).all()
    rebates = np.round(1 - prices / goods.price_minor, 2)
    assert set(np.unique(rebates)) == {0, 0.1, 0.2, 0.3}
    for week in rebates:
        for category in range(len(goods.categories)):
            here = week[goods.category == category]
            assert len(set(here[here > 0])) <= 1
            assert not here.any() or 0.3 < (here > 0).mean() < 0.7


def test_promotions_differ_by_week_and_are_the_same_whenever_they_are_asked_for(goods):
    prices = [week_prices(LIVELY, goods, week) for week in (0, 1, 2, 1)]
    assert (prices[0] != prices[1]).any()
    assert (prices[1] != prices[2]).any()
    assert (prices[1] == prices[3]).all()


def test_without_a_changing_range_there_are_no_promotions(goods):
    assert (week_prices(replace(LIVELY, changes_range=False), goods, 5) == goods.price_minor).all()


def test_quantiles_between_knots_are_log_linear_and_linear_where_a_value_is_0():
    assert quantiles_at(((0, 1.0), (0.5, 4.0), (1, 16.0)), np.array([0, 0.25, 0.5, 0.75, 1])) == pytest.approx(
        [1, 2, 4, 8, 16]
    )
    assert quantiles_at(((0, 0.0), (0.5, 4.0), (1, 16.0)), np.array([0.25, 0.5, 0.75])) == pytest.approx([2, 4, 10])


@pytest.mark.parametrize(
    ("knots", "mean"),
    [
        (((0, 3.0), (1, 3.0)), 3.0),
        (((0, 0.0), (1, 1.0)), 0.5),
        (((0, 0.0), (0.5, 0.0), (1, 4.0)), 1.0),
        (((0, 1.0), (1, np.e)), np.e - 1),
        (((0, 1.0), (0.5, 1.0), (1, np.e)), np.e / 2),
    ],
)
def test_the_mean_of_a_distribution_by_hand(knots, mean):
    assert mean_of(knots) == pytest.approx(mean)


VALUES = st.integers(0, 10_000).map(lambda hundredths: hundredths / 100)


@given(st.lists(VALUES, min_size=2, max_size=6))
def test_the_mean_is_the_integral_of_the_quantiles(values):
    knots = tuple(zip(np.linspace(0, 1, len(values)).tolist(), sorted(values), strict=True))
    drawn = quantiles_at(knots, (np.arange(100_000) + 0.5) / 100_000)
    assert (np.diff(drawn) >= -1e-9).all()
    assert knots[0][1] - 1e-9 <= drawn[0] <= drawn[-1] <= knots[-1][1] + 1e-9
    assert mean_of(knots) == pytest.approx(drawn.mean(), rel=1e-6, abs=1e-9)
