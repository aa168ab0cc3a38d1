"""Currencies of ISO 4217, and amounts as the whole minor units that tables and logs hold."""

from decimal import ROUND_HALF_UP, Decimal

__all__ = ["CURRENCIES", "amount_text", "exponent_of", "minor_units_of"]

CURRENCIES = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP
    CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF
    IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD
    MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB
    RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD
    UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG
    """.split()  # noqa: SIM905 - a list would be one line for each
)
"""Every currency in use, ISO 4217, as of 2026."""

_WITHOUT_MINOR_UNITS = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split())  # noqa: SIM905 - as above
_WITH_THOUSAND = frozenset("BHD IQD JOD KWD LYD OMR TND".split())  # noqa: SIM905 - as above


def exponent_of(currency: str) -> int:
    """Return the number of decimals of a currency's minor unit.

    >>> exponent_of("USD"), exponent_of("JPY"), exponent_of("KWD")
    (2, 0, 3)
    """
    if currency in _WITHOUT_MINOR_UNITS:
        return 0
    return 3 if currency in _WITH_THOUSAND else 2


def minor_units_of(amount: float | Decimal, currency: str) -> int:
    """Return one amount in minor units, rounded half away from zero.

    Args:
        amount: In major units; a float is read as the shortest decimal that means it.
        currency: ISO 4217.

    >>> minor_units_of(15.99, "USD"), minor_units_of(1.005, "USD"), minor_units_of(1200, "JPY")
    (1599, 101, 1200)
    """
    scaled = Decimal(str(amount)).scaleb(exponent_of(currency))
    return int(scaled.to_integral_value(rounding=ROUND_HALF_UP))


def amount_text(minor: int | None, currency: str | None) -> str | None:
    """Return minor units as people read them, None where the amount is unknown.

    >>> amount_text(1599, "USD"), amount_text(1200, "JPY"), amount_text(5, "KWD"), amount_text(None, "USD")
    ('15.99 USD', '1200 JPY', '0.005 KWD', None)
    """
    if minor is None:
        return None
    exponent = exponent_of(currency or "")
    return f"{Decimal(minor).scaleb(-exponent):.{exponent}f} {currency or ''}".rstrip()
