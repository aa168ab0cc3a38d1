import numpy as np
import pytest

from endcap.metrics.intervals import bootstrap_means, interval, paired_interval


def drawn(num_users, seed):
    rng = np.random.default_rng(seed)
    return rng.random((2, 3 * num_users)), np.repeat(np.arange(num_users), 3)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    values_MB, users_B = drawn(20, 1)
    first, again = (bootstrap_means(values_MB, users_B, seed=3, resamples=10) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert (first != bootstrap_means(values_MB, users_B, seed=4, resamples=10)).any()


def test_resamples_are_those_of_repeating_each_drawn_users_cases():
    values_MB, users_B = drawn(5, 2)
    values_MB[1, 4] = np.nan
    drawn_R = [np.random.default_rng(7).integers(5, size=5)]
    cases = np.concatenate([np.flatnonzero(users_B == user) for user in drawn_R[0]])
    expected = [np.nanmean(values_MB[0, cases]), np.nanmean(values_MB[1, cases])]
    assert bootstrap_means(values_MB, users_B, seed=7, resamples=1)[0] == pytest.approx(expected)


def test_the_order_of_cases_and_the_names_of_users_do_not_matter():
    values_MB, users_B = drawn(9, 3)
    back = np.arange(values_MB.shape[1])[::-1]
    there = interval(values_MB, users_B, seed=1, resamples=50)
    assert interval(values_MB[:, back], users_B[back] + 100, seed=1, resamples=50) == pytest.approx(there)


def test_the_interval_of_a_mean_covers_it_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        ends = interval(rng.random((1, 60)) < 0.3, np.arange(60), seed=int(rng.integers(2**31)), resamples=100)[0]
        covered += ends[0] <= 0.3 <= ends[1]
    # 95 % of 200 with a binomial spread of 3 standard deviations, and a little less for 60 users.
    assert 174 <= covered <= 199


def test_one_user_has_no_interval():
    assert np.isnan(interval(np.ones((1, 4)), np.zeros(4, np.int64), seed=1, resamples=5)).all()
    assert np.isnan(interval(np.ones((1, 0)), np.zeros(0, np.int64), seed=1, resamples=5)).all()


def test_a_constant_difference_is_found_without_doubt_however_wide_the_values_are():
    values_MB, users_B = drawn(30, 6)
    means_M, ends_M2 = paired_interval(values_MB + 0.01, values_MB, users_B, seed=1, resamples=50)
    assert means_M == pytest.approx([0.01, 0.01])
    assert ends_M2 == pytest.approx(np.full((2, 2), 0.01))


def test_a_difference_counts_only_cases_that_are_defined_for_both():
    first = np.array([[1.0, np.nan, 0.5]])
    second = np.array([[0.0, 1.0, np.nan]])
    means_M, _ = paired_interval(first, second, np.arange(3), seed=1, resamples=5)
    assert means_M.tolist() == [1.0]
