"""What a text or a number means is the same on both engines, however odd it is."""

import ibis
import numpy as np
import pyarrow as pa
import pytest

from endcap.events.money import minor_units
from endcap.events.reading import instant_us, number, place_number, text, unreadable_number
from endcap.events.validate import believed_day

pytestmark = pytest.mark.slow

TEXTS = [
    "", " ", "(not set)", "12", " 12 ", "\t12", "12.5", "1e3", "1E3", "1_000", "0x1F", "inf", "Infinity", "-inf",
    "NaN", "nan", "12abc", "12d", "12f", "1.", ".5", "+5", "--5", "٣", "1,5", "9223372036854775807",
    "9223372036854775808", "99999999999999999999", "0x1p3", "1e400", "5e-324", "true", "-5.7", "1e18",
    "123456789012345678", "0.1", "1e-7", None, "2026-01-01", "2026-01-01T10:00:00Z", "2026-01-01 10:00:00",
    "2026-01-01T10:00:00.123456", "2026-01-01T10:00:00z", "2026-01-01T10:00:00.1234567",
    "2026-01-01T10:00:00.1234567Z", "2026-01-01T10:00:00+02:00", "2026-01-01T10:00:00+02",
    "2026-01-01T10:00:00+0200", "2026-01-01T10:00:00.5-03:30", "2026-01-01 10:00:00 PST", "2026-01-01 10:00:00 UTC",
    "2026-01-01 10:00:00 GMT", "2026-01-01 10:00:00 +02:00", "2026-01-01 10:00:00 -0500", "2026-1-1",
    "2026-1-1 1:2:3", "01/02/2026", "2026/01/02", "2026/01/02 10:00:00", "2026-01-01T25:00:00",
    "2026-01-01 10:60:00", "2026-02-30", "2026-01", "2026", "T10:00", "10:00", "10:00:00", "20260101",
    "20260101T100000", "epoch", "infinity", "-infinity", "2026-01-01T10:00", "2026-01-01T10", "2026-01-01 10:00 ",
    "2026-01-01T10:00:00Z\n", "today", "now", "0001-01-01", "9999-12-31", "1767225600", "1767225600.5",
    "1767225600000000", "2026-01-01 10:00:00.", "2026-01-01 10:00:00 AM", "2026-01-01T10:00:00.123+0530",
    "Thu Jan 01 2026", "2026-01-01 10:00:00 Europe/Berlin", "2026-01-01T10:00:00[UTC]",
]  # fmt: skip
FLOATS = [
    0.0, -0.0, 1.0, 1.005, 1.0049999999, 1.00499999999999, 0.005, 0.015, 1e7, 1e7 + 0.125, 123456789.123, 1e12,
    1e12 + 1, 1e15, 1e16, 1e20, 1e-4, 1e-5, 1e-7, -1.005, 2.675, float("nan"), float("inf"), -float("inf"), None,
    0.1 + 0.2, 999999999999.995, 12345678901234567.0, 4.5, 5.5, -4.5, 1767225600.5, 0.285, 1e3, 2.5e-4, 9.999999e6,
]  # fmt: skip
INTEGERS = [
    0,
    1,
    -1,
    2**53 + 1,
    2**62,
    -(2**62),
    1767225600,
    1767225600000,
    1767225600000000,
    9 * 10**18,
    None,
    2**63 - 1,
]


def in_seconds(value):
    return instant_us(value, unit_us=1_000_000)


def day(value):
    return believed_day(value, ibis.literal("unbelievable"), last_us=9 * 10**17)


def money(currency):
    return lambda value: minor_units(value, ibis.literal(currency))


READINGS = {
    "texts": (TEXTS, pa.string(), {"text": text, "number": number, "unreadable": unreadable_number,
              "place": place_number, "instant": instant_us, "in_seconds": in_seconds,
              "hash": lambda value: value.hexdigest("sha256"), "length": lambda value: value.length(),
              "lower": lambda value: value.lower(), "is_key": lambda value: value.re_search("^[0-9a-f]{2}$"),
              "one_line": lambda value: value.re_search("^2026.*Z$")}),
    "floats": (FLOATS, pa.float64(), {"text": text, "number": number, "place": place_number, "instant": instant_us,
               "in_seconds": in_seconds, "usd": money("USD"), "jpy": money("JPY"), "kwd": money("KWD"),
               "is_missing": lambda value: value.isnull()}),
    "integers": (INTEGERS, pa.int64(), {"text": text, "number": number, "instant": instant_us, "in_seconds": in_seconds,
                 "day": day}),
}  # fmt: skip


def on(engine, values, kind, readings):
    table = engine.read_arrow(pa.table({"row": list(range(len(values))), "value": pa.array(values, kind)}))
    told = table.select("row", **{name: reading(table.value) for name, reading in readings.items()})
    return engine.to_arrow(told.order_by("row"))


@pytest.mark.parametrize("kind", READINGS)
def test_a_value_is_read_alike(engine, spark_engine, kind):
    asked = READINGS[kind]
    duckdb, spark = on(engine, *asked), on(spark_engine, *asked)
    told = [repr(value) for value in asked[0]]
    for name in asked[2]:
        pairs = zip(told, duckdb[name].to_pylist(), spark[name].to_pylist(), strict=True)
        assert [each for each in pairs if repr(each[1]) != repr(each[2])] == [], name


def test_prices_become_the_same_minor_units(engine, spark_engine):
    rng = np.random.default_rng(1)
    sizes, decimals = 10.0 ** rng.integers(0, 10, 5000), rng.integers(0, 7, 5000).tolist()
    prices = [round(price, places) for price, places in zip((rng.random(5000) * sizes).tolist(), decimals, strict=True)]
    asked = (
        [*prices, *(each / 1000 for each in range(2000))],
        pa.float64(),
        {each: money(each) for each in ("USD", "KWD")},
    )
    assert on(engine, *asked).equals(on(spark_engine, *asked))


def test_a_hash_of_a_row_has_64_bits(spark_engine):
    rows = spark_engine.read_arrow(pa.table({"n": list(range(3))}))
    marks = spark_engine.to_arrow(rows.select(mark=ibis.struct({"n": rows.n}).hash()))["mark"].to_pylist()
    assert max(abs(mark) for mark in marks) > 2**40
