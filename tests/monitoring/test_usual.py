import numpy as np
import pytest

from endcap.monitoring.usual import LEAST_DAYS, Scale, usual


def is_off(series, scale=Scale.COUNT, num=0):
    """Whether the last of some days is outside the usual range, and whether far outside."""
    found, value = usual(scale, series[:-1], num=num), series[-1]
    return not found.low <= value <= found.high, not found.far_low <= value <= found.far_high


def weekly(rng, noise):
    """29 days of a steady shop with weekends at half the level."""
    level = np.tile([1000, 1000, 1000, 1000, 1000, 500, 500], 5)[:29]
    return list(level * np.exp(rng.normal(0, noise, 29)))


@pytest.mark.parametrize("noise", [0.05, 0.3])
def test_of_a_steady_series_fewer_than_two_days_in_a_thousand_alarm(noise):
    rng = np.random.default_rng(11)
    off = np.array([is_off(weekly(rng, noise)) for _ in range(3000)])
    assert off[:, 0].mean() <= 0.002
    assert off[:, 1].mean() <= 0.0004  # one of 3000


def test_two_weeks_of_history_are_enough_for_the_same_rate():
    rng = np.random.default_rng(12)
    off = np.array([is_off([None] * 14 + weekly(rng, 0.2)[-15:]) for _ in range(3000)])
    assert off[:, 0].mean() <= 0.002 + 3 * (0.002 / 3000) ** 0.5
    assert off[:, 1].mean() <= 0.001


@pytest.mark.parametrize("mean", [0.05, 1, 8, 400])
def test_poisson_counts_do_not_alarm_however_small(mean):
    rng = np.random.default_rng(13)
    assert sum(is_off(list(rng.poisson(mean, 29)))[0] for _ in range(2000)) == 0


def test_a_first_handful_of_what_never_was_is_no_alarm_and_many_are():
    assert is_off([0] * 28 + [5]) == (False, False)
    assert is_off([0] * 28 + [40]) == (True, True)


def test_a_saturday_is_compared_with_saturdays_too():
    series = ([1000] * 5 + [500, 500]) * 4 + [1000]
    assert is_off([*series[1:], 500], Scale.COUNT)[0] is True  # a Tuesday like a weekend
    assert is_off((([1000] * 5 + [500, 500]) * 5)[:-1][-29:])[0] is False


def test_half_a_day_is_far_outside():
    assert is_off([1000, 1040, 980, 1010, 990, 1020, 1000] * 4 + [400]) == (True, True)


def test_shares_of_few_things_do_not_alarm_and_of_many_do():
    assert is_off([0.0] * 28 + [0.2], Scale.SHARE, num=5)[0] is False
    assert is_off([0.0] * 28 + [0.2], Scale.SHARE, num=5000) == (True, True)


def test_levels_are_compared_as_ratios():
    assert is_off([1990.0] * 28 + [2100.0], Scale.LEVEL, num=5000)[0] is False
    assert is_off([1990.0] * 28 + [199_000.0], Scale.LEVEL, num=5000) == (True, True)


def test_too_few_days_say_nothing():
    assert usual(Scale.COUNT, [None] * (28 - LEAST_DAYS + 1) + [5] * (LEAST_DAYS - 1), num=0) is None
    assert usual(Scale.COUNT, [None] * (28 - LEAST_DAYS) + [5] * LEAST_DAYS, num=0).num_days == LEAST_DAYS
    assert usual(Scale.SHARE, [0.1] * 28, num=0) is None
