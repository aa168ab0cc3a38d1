import ibis
import pyarrow as pa
import pytest

from endcap.events.money import CURRENCIES, exponent_of, minor_units


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [(15.99, "USD", 1599), (1.1, "EUR", 110), (1500.4, "JPY", 1500), (1.2345, "KWD", 1235), (0.0, "USD", 0)],
)
def test_amounts_become_whole_minor_units(engine, arrow_rows, amount, currency, minor):
    table = engine.read_arrow(pa.table({"amount": [amount], "currency": [currency]}))
    assert arrow_rows(table.select(minor=minor_units(table.amount, table.currency))) == [{"minor": minor}]


def test_an_amount_beyond_all_reason_is_missing(engine, arrow_rows):
    table = engine.read_arrow(pa.table({"amount": [1e300], "currency": ["USD"]}))
    assert arrow_rows(table.select(minor=minor_units(table.amount, table.currency))) == [{"minor": None}]


def test_every_price_of_two_decimals_is_exact(engine, arrow_rows):
    cents = list(range(0, 200_000, 7))
    table = engine.read_arrow(pa.table({"cents": cents, "amount": [cent / 100 for cent in cents]}))
    wrong = table.filter(minor_units(table.amount, ibis.literal("USD")) != table.cents)
    assert arrow_rows(wrong) == []


def test_every_currency_has_an_exponent():
    assert {exponent_of(code) for code in CURRENCIES} == {0, 2, 3}
