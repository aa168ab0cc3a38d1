import numpy as np
import pytest

from endcap.core.clock import DAY_US, day_start_us
from endcap.simulation.visits import make_visits


@pytest.fixture(scope="module")
def visits():
    return make_visits(3_000, 14, "2026-01-01", np.random.default_rng(5))


def test_sessions_stand_in_order_of_their_start_within_the_days(visits):
    assert (np.diff(visits.start_us) >= 0).all()
    assert visits.start_us[0] >= day_start_us("2026-01-01")
    assert visits.start_us[-1] < day_start_us("2026-01-15")


def test_every_user_comes_at_least_once_and_most_only_a_few_times(visits):
    times = np.bincount(visits.user, minlength=3_000)
    assert times.min() == 1
    assert np.median(times) <= 3 < times.max()


def test_evenings_are_busier_than_nights(visits):
    hour = visits.start_us % DAY_US // 3_600_000_000
    assert ((hour >= 18) & (hour < 23)).sum() > 5 * ((hour >= 2) & (hour < 7)).sum()


def test_weekends_are_busier_than_mondays(visits):
    weekday = (visits.start_us // DAY_US + 3) % 7
    assert (weekday >= 5).sum() / 2 > (weekday == 0).sum()


def test_a_cookie_belongs_to_one_user_and_a_customer_may_have_two(visits):
    pairs = set(zip(visits.cookie.tolist(), visits.user.tolist(), strict=True))
    assert len(pairs) == len({cookie for cookie, _ in pairs})
    assert len(pairs) > 3_000


def test_only_customers_log_in_and_not_always(visits):
    logged_in = visits.login >= 0
    assert (visits.login[logged_in] == 10_000 + visits.user[logged_in]).all()
    customers = np.isin(visits.user, visits.user[logged_in])
    assert 0 < (customers & ~logged_in).sum() < logged_in.sum()
