"""How sure we are of a mean: bootstrap intervals over users, and the paired difference of two models.

A user's cases hang together, so users are drawn, not cases (Efron and Tibshirani 1993, chapter 8). Shapes: B cases,
M measures, U users, R resamples.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["bootstrap_means", "interval", "paired_interval"]

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


def bootstrap_means(values_MB: Floats, users_B: Numbers, *, seed: int, resamples: int) -> Floats:
    """Return the means of each measure over users drawn with replacement.

    The mean is over cases: a user who is drawn twice brings each case twice. NaN values are left out.

    Args:
        values_MB: M x B values; NaN where undefined.
        users_B: B user numbers, any integers.
        seed: The same seed draws the same users, whatever the values.
        resamples: R >= 1.

    Returns:
        R x M means; NaN where a resample has no defined value.
    """
    num_measures = len(values_MB)
    users, user_B = np.unique(users_B, return_inverse=True)
    num_users = len(users)
    if num_users == 0:
        return np.full((resamples, num_measures), np.nan)
    defined_MB = ~np.isnan(values_MB)
    # Sums and counts of each user first: a resample is then one product, however many cases there are.
    sums_MU = _by_user(np.where(defined_MB, values_MB, 0.0), user_B, num_users)
    counts_MU = _by_user(defined_MB.astype(np.float64), user_B, num_users)
    rng = np.random.default_rng(seed)
    means_RM = np.empty((resamples, num_measures))
    for resample in range(resamples):
        times_U = np.bincount(rng.integers(num_users, size=num_users), minlength=num_users).astype(np.float64)
        # Not BLAS: its sums depend on the number of threads.
        totals_M = np.einsum("mu,u->m", sums_MU, times_U, optimize=False)
        cases_M = np.einsum("mu,u->m", counts_MU, times_U, optimize=False)
        means_RM[resample] = np.divide(totals_M, cases_M, out=np.full(num_measures, np.nan), where=cases_M > 0)
    return means_RM


def interval(values_MB: Floats, users_B: Numbers, *, seed: int, resamples: int, level: float = 0.95) -> Floats:
    """Return the percentile bootstrap interval of each measure's mean.

    Args:
        values_MB: M x B values; NaN where undefined.
        users_B: B user numbers.
        seed: Of the draws.
        resamples: R; 200 give ends that are good to about a tenth of the interval's width.
        level: The interval's coverage, 0..1.

    Returns:
        M x 2, low and high; NaN where fewer than two users have a defined value.
    """
    means_RM = bootstrap_means(values_MB, users_B, seed=seed, resamples=resamples)
    tails = [(1 - level) / 2, (1 + level) / 2]
    ends_M2 = np.full((len(values_MB), 2), np.nan)
    for measure, values_B in enumerate(values_MB):
        means_R = means_RM[:, measure]
        means_R = means_R[~np.isnan(means_R)]
        if len(means_R) and len(np.unique(users_B[~np.isnan(values_B)])) > 1:
            ends_M2[measure] = np.quantile(means_R, tails)
    return ends_M2


def paired_interval(
    first_MB: Floats, second_MB: Floats, users_B: Numbers, *, seed: int, resamples: int
) -> tuple[Floats, Floats]:
    """Compare two models on the same cases: the mean of first - second, and its 95 % interval.

    Args:
        first_MB: M x B values of the first model.
        second_MB: The second model's values of the same cases.
        users_B: B user numbers.
        seed: Of the draws.
        resamples: R.

    Returns:
        M mean differences and M x 2 ends; only cases that are defined for both count.
    """
    difference_MB = first_MB - second_MB
    defined_M = np.count_nonzero(~np.isnan(difference_MB), axis=1)
    sums_M = np.nansum(difference_MB, axis=1)
    means_M = np.divide(sums_M, defined_M, out=np.full(len(sums_M), np.nan), where=defined_M > 0)
    return means_M, interval(difference_MB, users_B, seed=seed, resamples=resamples)


def _by_user(values_MB: Floats, user_B: Numbers, num_users: int) -> Floats:
    """Sum each measure's values by user."""
    return np.stack([np.bincount(user_B, weights=values_B, minlength=num_users) for values_B in values_MB])
