import pyarrow as pa
import pytest

from endcap.core.contract import Column, Kind, Table
from endcap.core.errors import Code, DataError, StoreError
from endcap.engines.contracts import check_contract, read_under_contract, under_contract

PRICES = Table(
    "prices",
    "one price",
    (
        Column("date_partition", Kind.STRING, "day"),
        Column("item_id", Kind.STRING, "item"),
        Column("price_minor", Kind.INT64, "price", nullable=True, low=0, high=1000),
        Column("state", Kind.STRING, "state", allowed=("new", "used")),
    ),
    ("item_id",),
)


def rows(*values):
    names = ("date_partition", "item_id", "price_minor", "state")
    return pa.Table.from_pylist([dict(zip(names, value, strict=True)) for value in values])


def checked(engine, *values):
    table = engine.materialise(under_contract(engine.read_arrow(rows(*values)), PRICES))
    check_contract(engine, table, PRICES)
    return table


def test_rows_that_keep_the_contract_pass(engine):
    checked(engine, ("2026-01-01", "a", 5, "new"), ("2026-01-01", "b", None, "used"), ("2026-01-02", "a", 0, "new"))


def test_columns_are_put_in_order_and_cast(engine):
    mixed = engine.read_arrow(
        pa.table({"state": ["new"], "price_minor": ["7"], "item_id": ["a"], "date_partition": ["d"]})
    )
    cast = under_contract(mixed, PRICES)
    assert list(cast.columns) == PRICES.names
    assert engine.to_arrow(cast)["price_minor"].to_pylist() == [7]


def test_a_missing_column_is_told_by_name(engine):
    with pytest.raises(DataError, match="lacks the columns state"):
        under_contract(engine.read_arrow(rows(("d", "a", 5, "new")).drop(["state"])), PRICES)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (("2026-01-01", None, 5, "new"), "item_id_is_missing in 1 of 2 rows"),
        (("2026-01-01", "b", -1, "new"), "price_minor_is_outside_its_range in 1 of 2 rows"),
        (("2026-01-01", "b", 1001, "new"), "price_minor_is_outside_its_range in 1 of 2 rows"),
        (("2026-01-01", "b", 5, "old"), "state_is_outside_its_range in 1 of 2 rows"),
        (("2026-01-01", "a", 6, "new"), "whose key"),
    ],
)
def test_each_kind_of_broken_row_is_refused_with_its_count(engine, broken, told):
    with pytest.raises(DataError, match=told):
        checked(engine, ("2026-01-01", "a", 5, "new"), broken)


def test_the_same_key_on_two_days_is_two_rows(engine):
    checked(engine, ("2026-01-01", "a", 5, "new"), ("2026-01-02", "a", 5, "new"))


def test_rows_of_an_older_contract_lack_what_was_added_and_have_what_was_widened(engine):
    narrow = PRICES.column("price_minor")
    old = pa.table({"state": ["new"], "date_partition": ["2026-01-01"], "gone": [1], "item_id": ["a"]})
    read = read_under_contract(engine.read_arrow(old), PRICES)
    assert engine.to_arrow(read).to_pylist() == [
        {"date_partition": "2026-01-01", "item_id": "a", narrow.name: None, "state": "new"}
    ]
    old = old.append_column(narrow.name, pa.array([7], pa.int32()))
    read = read_under_contract(engine.read_arrow(old), PRICES)
    assert (str(read.schema()[narrow.name]), engine.to_arrow(read)[narrow.name].to_pylist()) == ("int64", [7])


def test_rows_that_the_contract_cannot_read_are_refused(engine):
    old = pa.table({"date_partition": ["2026-01-01"], "item_id": [7], "state": ["new"]})
    with pytest.raises(StoreError, match="prices has item_id as int64, the contract as string") as caught:
        read_under_contract(engine.read_arrow(old), PRICES)
    assert caught.value.code is Code.TABLE_SCHEMA
