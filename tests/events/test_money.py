import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endcap.core.currency import minor_units_of
from endcap.events.money import minor_units


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        (15.99, "USD", 1599),
        (1.1, "EUR", 110),
        (1500.4, "JPY", 1500),
        (1.2345, "KWD", 1235),
        (0.0, "USD", 0),
        (1.005, "USD", 101),
        (10.125, "USD", 1013),
        (-2.675, "USD", -268),
        (5e-324, "KWD", 0),
    ],
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


amounts = st.one_of(
    st.floats(-1e12, 1e12),
    st.integers(-(10**15), 10**15).map(lambda number: number / 1000),
    st.integers(-(10**6), 10**6).map(lambda number: (2 * number + 1) / 2000),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(amounts, st.sampled_from(["USD", "JPY", "KWD"])), min_size=50, max_size=200))
def test_the_engine_rounds_as_the_online_path_does(engine, arrow_rows, told):
    table = engine.read_arrow(
        pa.table({"amount": [amount for amount, _ in told], "currency": [code for _, code in told]})
    )
    found = arrow_rows(table.select(minor=minor_units(table.amount, table.currency)))
    assert [row["minor"] for row in found] == [minor_units_of(*each) for each in told]
