import pytest

from endcap.core.contract import Kind
from endcap.core.tables import CANONICAL_EVENT_NAMES, ITEM_FEATURES, USER_FEATURES
from endcap.features.declared import FEATURES, Feature, declared, of_instants


@pytest.mark.parametrize(("entity", "table"), [("user", USER_FEATURES), ("item", ITEM_FEATURES)])
def test_the_tables_of_a_day_have_the_declared_columns_and_no_others(entity, table):
    columns = {
        column.name: column.kind for column in table.columns if column.name not in ("date_partition", *table.key)
    }
    assert list(columns.items()) == [(feature.name, feature.kind) for feature in declared(entity, "day")]


def test_what_the_tables_require_has_a_default_or_a_day():
    for entity, table in (("user", USER_FEATURES), ("item", ITEM_FEATURES)):
        for feature in declared(entity, "day"):
            is_there = feature.default is not None or feature.how in ("days_since_last", "days_since_first")
            assert is_there is not table.column(feature.name).nullable, feature.name


def test_every_feature_is_declared_once_and_says_what_it_is():
    assert len({(feature.entity, feature.name) for feature in FEATURES}) == len(FEATURES)
    names = [feature.name for feature in of_instants()]
    assert len(set(names)) == len(names)
    for feature in of_instants():
        assert {*feature.of, *feature.per} <= set(CANONICAL_EVENT_NAMES), feature.name
        assert feature.doc, feature.name
        assert feature.owner, feature.name


def test_a_window_is_told_in_words():
    windows = {feature.name: feature.window for feature in FEATURES}
    assert windows["num_items_7d"] == "7 days"
    assert windows["num_sessions_1d"] == "1 day"
    assert windows["session_age_s"] == "the present session"
    assert windows["days_since_first_seen"] == "for good"


def test_rates_and_times_are_fractions_and_all_else_is_whole():
    kinds = {feature.name: feature.kind for feature in FEATURES}
    assert kinds["cart_rate_30d"] is kinds["session_age_s"] is Kind.FLOAT64
    assert kinds["mean_price_minor_30d"] is kinds["num_views_7d"] is Kind.INT64


@pytest.mark.parametrize(
    "wrong",
    [
        {"how": "rate", "days": 7},
        {"how": "count", "days": 7, "per": ("view_item",)},
        {"how": "count"},
        {"how": "count", "days": 31},
        {"how": "median_price", "days": 7},
        {"how": "count", "entity": "item"},
        {"how": "count", "entity": "session", "days": 7},
    ],
)
def test_what_no_reading_could_follow_is_refused(wrong):
    with pytest.raises(AssertionError):
        Feature(**{"name": "odd", "entity": "user", "doc": "odd", "of": ("view_item",)} | wrong)
