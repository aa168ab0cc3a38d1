from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.core.currency import CURRENCIES, exponent_of, minor_units_of


def test_currencies_have_three_letters():
    assert {"USD", "EUR", "JPY", "KWD"} <= CURRENCIES
    assert all(len(each) == 3 and each.isupper() for each in CURRENCIES)
    assert {exponent_of(each) for each in CURRENCIES} == {0, 2, 3}


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        (0.1, "USD", 10),
        (2.675, "USD", 268),
        (1e10, "USD", 10**12),
        (1.2345, "KWD", 1235),
        (0.5, "JPY", 1),
        (0, "EUR", 0),
        (-1.005, "USD", -101),
        (Decimal("10.125"), "USD", 1013),
        (1e40, "JPY", 10**40),
    ],
)
def test_amounts_are_rounded_half_away_from_zero(amount, currency, minor):
    assert minor_units_of(amount, currency) == minor


@given(st.integers(0, 10**12), st.sampled_from(sorted(CURRENCIES)))
def test_whole_minor_units_come_back(minor, currency):
    assert minor_units_of(minor / 10 ** exponent_of(currency), currency) == minor
