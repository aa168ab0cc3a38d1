"""Currencies of ISO 4217 and how many minor units one of them has."""

from typing import Any

import ibis

__all__ = ["CURRENCIES", "exponent_of", "minor_units", "scale_of"]

_CODES = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY
COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS
INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP
MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR
SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VES VND VUV
WST XAF XCD XOF XPF YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_CODES.split())
"""Every currency in use, ISO 4217, as of 2026."""

_WITHOUT_MINOR_UNITS = [
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "ISK",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "UGX",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
]
_WITH_THOUSAND = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]
_MOST = 1e12


def exponent_of(currency: str) -> int:
    """Return the number of decimals of a currency's minor unit.

    >>> exponent_of("USD"), exponent_of("JPY"), exponent_of("KWD")
    (2, 0, 3)
    """
    if currency in _WITHOUT_MINOR_UNITS:
        return 0
    return 3 if currency in _WITH_THOUSAND else 2


def scale_of(currency: Any) -> Any:
    """Return the minor units in one major unit of a currency column: 1, 100 or 1000, int64."""
    scale = ibis.cases((currency.isin(_WITHOUT_MINOR_UNITS), 1), (currency.isin(_WITH_THOUSAND), 1000), else_=100)
    return scale.cast("int64")


def minor_units(amount: Any, currency: Any) -> Any:
    """Return an amount column in major units as int64 minor units, rounded half away from zero.

    Amounts arrive as decimal text or as the nearest float64 of it; 15.99 x 100 is within 1e-9 of a whole number, so
    rounding restores what was meant. Amounts beyond 1e12 are null: int64 would not hold them in every currency.
    """
    within = ibis.ifelse(amount.abs() <= _MOST, amount, ibis.null("float64"))
    return (within * scale_of(currency)).round().cast("int64")
