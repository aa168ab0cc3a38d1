import pytest

from endcap.core.contract import Column, Kind, Table
from endcap.core.errors import Code, StoreError
from endcap.core.stored_schema import check_stored, columns_to_widen


def table(kind, *, nullable=False):
    return Table("t", "t", (Column("n", kind, "n", nullable=nullable),), ("n",), partition="", version=3)


@pytest.mark.parametrize(
    ("stored", "kind"),
    [("int32", Kind.INT64), ("int32", Kind.FLOAT64), ("float32", Kind.FLOAT64), ("list<string>", Kind.STRINGS)],
)
def test_what_is_equal_or_narrower_is_read(stored, kind):
    check_stored(table(kind), {"n": stored, "gone": "string"})
    assert columns_to_widen(table(kind), {"n": stored}) == ([] if stored == kind else ["n"])


@pytest.mark.parametrize(
    ("stored", "kind"),
    [
        *[("int64", Kind.INT32), ("int64", Kind.FLOAT64), ("float64", Kind.INT64), ("string", Kind.INT64)],
        *[("int64", Kind.STRING), ("timestamp", Kind.INT64), ("list<string>", Kind.STRING)],
    ],
)
def test_what_would_lose_or_mean_something_else_is_refused(stored, kind):
    with pytest.raises(StoreError, match=f"has n as {stored}, the contract as {kind}: version 3") as caught:
        check_stored(table(kind), {"n": stored})
    assert (caught.value.code, caught.value.where) == (Code.TABLE_SCHEMA, "SHOP/lake/t")


def test_a_column_that_is_not_stored_reads_as_missing_where_it_may_be_missing():
    check_stored(table(Kind.INT64, nullable=True), {})
    with pytest.raises(StoreError, match="has no column n"):
        check_stored(table(Kind.INT64), {})
