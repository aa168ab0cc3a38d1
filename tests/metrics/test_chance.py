from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.metrics.chance import binomial_at_most, hits_at_most


@given(st.integers(0, 40), st.integers(0, 40), st.floats(0.01, 0.99))
def test_the_tail_is_the_sum_of_its_terms(count, trials, p):
    terms = [comb(trials, hit) * p**hit * (1 - p) ** (trials - hit) for hit in range(min(count, trials) + 1)]
    assert binomial_at_most(count, trials=trials, p=p) == pytest.approx(sum(terms), rel=1e-9)


def test_no_trial_says_nothing():
    assert binomial_at_most(0, trials=0, p=0.5) == 1.0


@given(st.integers(0, 60), st.lists(st.floats(0.01, 0.9), min_size=1, max_size=60))
def test_the_bound_is_never_below_the_probability_whatever_the_chances(count, chances):
    exact = [1.0]
    for p in chances:
        exact = [a * (1 - p) + b * p for a, b in zip([*exact, 0.0], [0.0, *exact], strict=True)]
    assert hits_at_most(count, expected=sum(chances)) >= sum(exact[: count + 1]) - 1e-9


def test_as_many_hits_as_expected_say_nothing():
    assert hits_at_most(7, expected=6.9) == 1.0
    assert hits_at_most(0, expected=30.0) < 1e-12
