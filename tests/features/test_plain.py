import pytest

from endcap.core.clock import DAY_US, day_start_us
from endcap.features.plain import plain_features, session_starts

MINUTE = 60_000_000
GAP = 30 * MINUTE
NOON = day_start_us("2026-03-10") + 12 * 60 * MINUTE


def row(minute, name, item=None, price=None):
    return {"at_us": NOON + minute * MINUTE, "event_name": name, "item_id": item, "price_minor": price}


ROWS = [
    row(-8 * 1440, "view_item", "A", 500),
    row(-60, "view_item", "A", 100),
    row(-60, "view_item", "B", 201),
    row(-20, "add_to_cart", "B", 201),
    row(-10, "view_item", "C"),
    row(-5, "search"),
    row(0, "purchase", "B", 201),
    row(5, "view_item", "D", 1),
]


def some(found, *names):
    return [found[name] for name in names]


def test_windows_and_sessions_by_hand():
    found = plain_features(ROWS, NOON, gap_us=GAP)
    assert some(found, "num_views_1d", "num_views_7d", "num_views_30d", "num_carts_1d", "num_purchases_1d") == [
        3,
        3,
        4,
        1,
        0,
    ]
    assert some(found, "num_sessions_1d", "num_sessions_30d", "num_items_7d", "seen_ago_s") == [2, 3, 3, 300]
    assert some(found, "cart_rate_30d", "mean_price_minor_30d", "bought_ago_s") == [0.25, 267, None]
    assert some(found, "session_num_views", "session_num_carts", "session_num_items", "session_age_s") == [
        1,
        1,
        2,
        1200,
    ]
    assert some(found, "session_mean_price_minor", "session_cart_rate") == [None, 1.0]


def test_an_event_of_the_instant_does_not_count_and_one_a_microsecond_before_does():
    assert some(plain_features(ROWS, NOON, gap_us=GAP), "num_purchases_1d", "bought_price_minor_30d") == [0, 0]
    assert some(plain_features(ROWS, NOON + 1, gap_us=GAP), "num_purchases_1d", "bought_ago_s") == [1, 1e-06]


def test_a_window_begins_with_its_first_instant():
    edge = NOON - 60 * MINUTE + DAY_US
    assert plain_features(ROWS, edge, gap_us=GAP)["num_views_1d"] == 4
    assert plain_features(ROWS, edge + 1, gap_us=GAP)["num_views_1d"] == 2


@pytest.mark.parametrize(("later", "age"), [(GAP, 25 * MINUTE + GAP), (GAP + 1, None)])
def test_a_session_lasts_as_long_as_its_gap(later, age):
    found = plain_features(ROWS, NOON + 5 * MINUTE + later, gap_us=GAP)["session_age_s"]
    assert found == (None if age is None else age / 1_000_000)


def test_a_user_without_a_past_has_the_defaults():
    found = plain_features([], NOON, gap_us=GAP)
    assert some(found, "num_views_30d", "num_sessions_30d", "session_num_items", "cart_rate_30d", "seen_ago_s") == [
        0, 0, 0, None, None,
    ]  # fmt: skip


def test_what_never_pauses_is_parted_at_midnight_after_a_whole_day():
    first = day_start_us("2026-03-01") + DAY_US // 2
    starts = session_starts(range(first, first + 3 * DAY_US, GAP), gap_us=GAP)
    assert starts == [first, day_start_us("2026-03-03"), day_start_us("2026-03-04")]
