"""Amounts in minor units as column expressions: the rule of `core/currency.py`, computed by the engine."""

from typing import Any

import ibis

from endcap.core.currency import CURRENCIES, exponent_of

__all__ = ["minor_units", "scale_of"]

_WITHOUT_MINOR_UNITS = sorted(code for code in CURRENCIES if exponent_of(code) == 0)
_WITH_THOUSAND = sorted(code for code in CURRENCIES if exponent_of(code) == 3)
_MOST = 1e12
_FEW, _HALF = 1e9, 1e-4  # below it, a product is off by less than 1e-6: nowhere near a half, the nearest is right


def scale_of(currency: Any) -> Any:
    """Return the minor units in one major unit of a currency column: 1, 100 or 1000, int64."""
    scale = ibis.cases((currency.isin(_WITHOUT_MINOR_UNITS), 1), (currency.isin(_WITH_THOUSAND), 1000), else_=100)
    return scale.cast("int64")


def minor_units(amount: Any, currency: Any) -> Any:
    """Return an amount column in major units as int64 minor units, rounded half away from zero.

    An amount is read as the shortest decimal that means its float64, as `minor_units_of` reads it: 1.005 is 101 cents,
    though the float lies below. Amounts beyond 1e12 are null: int64 would not hold them in every currency.

    Args:
        amount: float64.
        currency: ISO 4217.
    """
    within = ibis.ifelse(amount.abs() <= _MOST, amount, ibis.null("float64"))
    scale = scale_of(currency)
    # Which way to round is clear but for the halves: these go by way of text, which is the shortest decimal; 20
    # decimals hold every digit that decides. To do so with every amount would take ten times as long.
    near = within * scale
    is_clear = (near.abs() < _FEW) & ((near - near.floor() - 0.5).abs() > _HALF)
    return ibis.ifelse(is_clear, (near + 0.5).floor().cast("int64"), _exactly(within, currency))


def _exactly(amount: Any, currency: Any) -> Any:
    """Return it by way of text; rounded before it is multiplied: Spark's decimals have no more than 38 digits."""
    exact = amount.cast("string").cast("decimal(38, 20)")
    return ibis.cases(
        (currency.isin(_WITHOUT_MINOR_UNITS), _scaled(exact, 0)),
        (currency.isin(_WITH_THOUSAND), _scaled(exact, 3)),
        else_=_scaled(exact, 2),
    )


def _scaled(exact: Any, decimals: int) -> Any:
    return (exact.cast(f"decimal(38, {decimals})") * 10**decimals).cast("int64")
