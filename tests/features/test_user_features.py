import pytest

from endcap.core.clock import days_between
from endcap.core.tables import USER_FEATURES
from endcap.engines.contracts import check_contract
from endcap.features.daily import user_days
from endcap.features.user_features import user_features
from endcap.sessions.config import SessionsConfig
from endcap.sessions.sessionize import sessionize

DAYS = days_between("2016-09-01", "2016-10-15")
WORLD = """
    ann 0       view_item A@500 B@201
    ann 1       add_to_cart A@500
    ann 2d+0    view_item A
    ann 2d+100  purchase A
    bob 1d+0    search
"""


@pytest.fixture(scope="module")
def features(engine, world):
    """Features of the world as of given days."""
    events = world(WORLD)
    daily = engine.materialise(user_days(events, sessionize(events, SessionsConfig(), days=DAYS)))

    def features(days):
        made = engine.materialise(user_features(daily, days=days))
        check_contract(engine, made, USER_FEATURES)
        return made

    return features


def test_windows_end_before_the_day(features, rows_of):
    found = features(["2016-09-01", "2016-09-02", "2016-09-04", "2016-09-09", "2016-10-03"])
    names = ("num_sessions_1d", "num_sessions_7d", "num_views_7d", "num_views_30d", "num_carts_7d", "num_purchases_30d")
    assert rows_of(found.filter(found.user_key == "ann"), "date_partition", *names, "days_since_seen") == [
        ("2016-09-02", 1, 1, 2, 2, 1, 0, 1),
        ("2016-09-04", 2, 3, 3, 3, 1, 1, 1),
        ("2016-09-09", 0, 2, 1, 3, 0, 1, 6),
        ("2016-10-03", 0, 0, 0, 1, 0, 1, 30),
    ]


def test_rates_and_means_are_missing_without_a_denominator(features, rows_of):
    found = features(["2016-09-04"])
    names = ("user_key", "cart_rate_30d", "purchase_rate_30d", "mean_price_minor_30d")
    assert rows_of(found, *names) == [("ann", 1 / 3, 1 / 3, 351), ("bob", None, None, None)]


def test_a_user_not_seen_for_thirty_days_has_no_row(features, rows_of):
    assert rows_of(features(["2016-10-02", "2016-10-03", "2016-10-04"]), "date_partition", "user_key") == [
        ("2016-10-02", "ann"),
        ("2016-10-02", "bob"),
        ("2016-10-03", "ann"),
    ]
