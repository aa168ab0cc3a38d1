import pytest

from endcap.monitoring.figures import Profile, event_names, figures, hours, profiles_of, reasons, top_values

DAY = Profile(
    {
        ("", "", "events"): 10,
        ("view_item", "", "events"): 8,
        ("view_item", "", "rows"): 8,
        ("view_item", "price_minor", "missing"): 2,
        ("view_item", "price_minor", "known"): 6,
        ("view_item", "price_minor", "p50"): 500,
        ("search", "", "events"): 2,
        ("", "at_us", "hour:13"): 10,
        ("", "lateness_us", "over_hour"): 5,
        ("", "country", "value:DE"): 4,
        ("", "country", "value:US"): 6,
        ("view", "", "intake:events_read"): 20,
        ("view", "", "intake:rows_read"): 20,
        ("look", "", "intake:events_folded"): 5,
        ("view", "", "intake:rows_quarantined:future"): 1,
    }
)


def test_names_and_values_come_most_frequent_first():
    assert event_names([None, DAY]) == ["view_item", "search"]
    assert top_values(DAY, "country") == [("US", 6), ("DE", 4)]
    assert reasons([DAY]) == ["future"]
    assert (hours(DAY)[13], sum(hours(DAY))) == (10, 10)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Events", 10), ("Events of search", 2), ("Folded events among events read", 0.25),
        ("Rows quarantined for future", 0.05),
        ("Events more than an hour late", 0.5), ("Missing price_minor of view_item", 0.25),
        ("Median price_minor of view_item", 500),
        ("Change of the mix of country", 0.0),
    ],
)  # fmt: skip
def test_each_figure_is_what_its_name_says(name, value):
    found = {figure.name: figure for figure in figures([DAY, None, DAY])}
    assert found[name].values[-1] == pytest.approx(value)
    assert found[name].values[1] is None


def test_a_mix_with_nothing_in_common_is_as_far_as_can_be():
    other = Profile({("", "", "events"): 1, ("", "country", "value:FR"): 1})
    found = {figure.name: figure for figure in figures([DAY, other])}
    assert found["Change of the mix of country"].values == [None, 1.0]


def test_rows_become_profiles_by_day():
    row = {"date_partition": "2026-03-02", "event_name": "", "column_name": "", "measure": "events", "value": 3}
    assert profiles_of([row])["2026-03-02"].count("", "", "events") == 3
