import pytest

from endcap.core.clock import days_between
from endcap.core.tables import ITEM_FEATURES, SLATES
from endcap.engines.contracts import check_contract
from endcap.features.daily import first_seen, item_days
from endcap.features.item_features import item_features
from endcap.sessions.config import SessionsConfig
from endcap.sessions.exposures import find_exposures
from endcap.sessions.sessionize import sessionize

DAYS = days_between("2016-09-01", "2016-10-15")
WORLD = """
    ann 0       view_item_list A@500 B
    ann 1       select_item A@500
    ann 2       view_item A@500
    ann 3       purchase A@500
    bob 2d+0    view_item_list A
    bob 2d+1    view_item A@400
    bob 2d+2    add_to_cart A@400
    bob 8d+0    view_item A
    bob 9d+0    view_item B
"""


@pytest.fixture(scope="module")
def features(engine, world):
    """Features of the world as of given days."""
    events = world(WORLD)
    sessions = engine.materialise(sessionize(events, SessionsConfig(), days=DAYS))
    exposures = find_exposures(events, sessions, engine.read_snapshot([], SLATES), SessionsConfig(), days=DAYS)
    daily = engine.materialise(item_days(events, exposures))

    def features(days):
        made = engine.materialise(item_features(daily, first_seen(daily), days=days))
        check_contract(engine, made, ITEM_FEATURES)
        return made

    return features


def test_windows_end_before_the_day(features, rows_of):
    found = features(["2016-09-01", "2016-09-02", "2016-09-04", "2016-09-09", "2016-09-10"])
    names = ("num_views_1d", "num_views_7d", "num_views_30d", "num_exposures_30d", "num_carts_7d", "num_purchases_7d")
    assert rows_of(found.filter(found.item_id == "A"), "date_partition", *names) == [
        ("2016-09-02", 1, 1, 1, 1, 0, 1),
        ("2016-09-04", 1, 2, 2, 2, 1, 1),
        ("2016-09-09", 0, 1, 2, 2, 1, 0),
        ("2016-09-10", 1, 2, 3, 2, 1, 0),
    ]


def test_rates_are_missing_without_a_denominator(features, rows_of):
    found = features(["2016-09-04", "2016-10-09"])
    assert rows_of(found, "item_id", "date_partition", "click_rate_30d", "cart_rate_30d", "purchase_rate_30d") == [
        ("A", "2016-09-04", 0.5, 0.5, 0.5),
        ("A", "2016-10-09", None, 0.0, 0.0),
        ("B", "2016-09-04", 0.0, None, None),
        ("B", "2016-10-09", None, 0.0, 0.0),
    ]


def test_the_price_is_that_of_the_last_day_that_told_one(features, rows_of):
    found = features(["2016-09-02", "2016-09-10", "2016-10-05"])
    assert rows_of(found.filter(found.item_id == "A"), "date_partition", "price_minor") == [
        ("2016-09-02", 500),
        ("2016-09-10", 400),
        ("2016-10-05", None),
    ]


def test_days_are_counted_from_the_first_day_ever_and_the_last(features, rows_of):
    found = features(["2016-09-10", "2016-10-08", "2016-10-15"])
    assert rows_of(found, "item_id", "date_partition", "days_since_first_seen", "days_since_seen") == [
        ("A", "2016-09-10", 9, 1),
        ("A", "2016-10-08", 37, 29),
        ("B", "2016-09-10", 9, 9),
        ("B", "2016-10-08", 37, 28),
    ]
