from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endcap.events.row_values import as_arrow, plain_text, row_digest

AT = datetime(2026, 3, 1, 10, 0, 0, 123456)  # noqa: DTZ001 - a wall-clock time
IN_BERLIN = AT.replace(tzinfo=timezone(timedelta(hours=1)))


def column(*values, earlier=None):
    return as_arrow(["c"], [[value] for value in values], {"c": earlier} if earlier else {}).column("c")


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ((1, None, -5), pa.int64()),
        ((2**63, 1), pa.decimal128(38, 0)),
        ((10**40,), pa.string()),
        ((1.5, 2), pa.float64()),
        ((1.5, 2**60), pa.string()),
        ((Decimal("1.50"), Decimal(3), 7), pa.decimal128(38, 2)),
        ((Decimal("1E+3"), Decimal("0.001")), pa.decimal128(38, 3)),
        ((Decimal("NaN"), Decimal("1.5")), pa.string()),
        ((Decimal("1E+30"), Decimal("0.0000000001")), pa.string()),
        ((True, None), pa.bool_()),
        (("a", None), pa.string()),
        ((date(2026, 3, 1),), pa.date32()),
        ((AT,), pa.timestamp("us")),
        ((IN_BERLIN,), pa.timestamp("us", "UTC")),
        ((AT, IN_BERLIN), pa.string()),
        ((1, "a"), pa.string()),
        ((True, 1), pa.string()),
        ((b"\x00\xff", time(10, 30), UUID(int=1), {"a": [1]}), pa.string()),
        ((None, None), pa.string()),
    ],
)
def test_a_column_has_the_narrowest_type_that_holds_it(values, wanted):
    made = column(*values)
    assert made.type == wanted
    assert made.null_count == values.count(None)


def test_a_column_without_values_keeps_the_type_it_had():
    assert column(None, earlier=pa.timestamp("us", "UTC")).type == pa.timestamp("us", "UTC")


def test_an_instant_is_told_in_utc():
    assert column(IN_BERLIN).to_pylist() == [datetime(2026, 3, 1, 9, 0, 0, 123456, tzinfo=UTC)]


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(),
    st.binary(),
    st.dates(),
    st.times(),
    st.uuids(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC), min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)),  # noqa: DTZ001
    st.dictionaries(st.text(), st.integers()),
)


@given(st.lists(VALUES, min_size=1, max_size=5))
def test_a_value_is_told_alike_before_and_after(values):
    back = column(*values).to_pylist()
    assert [plain_text(value) for value in back] == [plain_text(value) for value in values]


@given(st.dictionaries(st.text(), VALUES, max_size=4), st.data())
def test_a_row_is_the_same_whatever_the_order_of_its_columns_and_with_more_that_are_missing(row, data):
    names = data.draw(st.permutations(list(row)))
    more = [f"{name}!" for name in row if f"{name}!" not in row]
    digest = row_digest(list(row), list(row.values()))
    assert digest == row_digest([*names, *more], [*[row[name] for name in names], *[None] * len(more)])


def test_rows_that_differ_have_other_digests():
    rows = [(["a"], [1]), (["a"], [2]), (["b"], [1]), (["a"], [""]), (["a"], [None]), (["a", "b"], [1, 1])]
    assert len({row_digest(*row) for row in rows}) == len(rows)
