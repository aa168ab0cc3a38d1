import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.metrics.divergence import jensen_shannon

counts = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=8).filter(
    lambda pairs: sum(p for p, _ in pairs) > 0 and sum(q for _, q in pairs) > 0
)


def test_a_known_case_worked_by_hand():
    # Mixture (.75, .25): .8113 bits; entropies 1 bit and 0 bits.
    assert jensen_shannon([1, 1], [1, 0]) == pytest.approx(0.8112781 - 0.5)


@settings(max_examples=40, deadline=None)
@given(counts)
def test_it_is_symmetric_and_between_zero_and_one(pairs):
    p, q = zip(*pairs, strict=True)
    there, back = jensen_shannon(p, q), jensen_shannon(q, p)
    assert there == pytest.approx(back, abs=1e-12)
    assert 0 <= there <= 1


@settings(max_examples=40, deadline=None)
@given(counts, st.integers(1, 50))
def test_the_size_of_a_sample_does_not_matter(pairs, times):
    p, q = np.array(pairs).T
    assert jensen_shannon(p * times, q) == pytest.approx(jensen_shannon(p, q), abs=1e-9)


def test_kinds_that_neither_has_do_not_matter():
    assert jensen_shannon([3, 1, 0], [1, 3, 0]) == jensen_shannon([3, 1], [1, 3])


def test_nothing_counted_is_undefined():
    assert math.isnan(jensen_shannon([0, 0], [1, 2]))


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        jensen_shannon([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="negative"):
        jensen_shannon([1, -1], [1, 1])
