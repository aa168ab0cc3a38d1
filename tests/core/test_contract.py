import dataclasses

import pytest

from endcap.core.contract import Column, Kind, Table

TABLE = Table(
    "visits",
    "one visit",
    (Column("user_key", Kind.STRING, "who"), Column("pages", Kind.INT32, "how many")),
    ("user_key",),
)


def test_names_stand_in_the_order_of_the_columns():
    assert TABLE.names == ["user_key", "pages"]


def test_a_column_is_found_by_its_name():
    assert TABLE.column("pages").kind is Kind.INT32


def test_an_unknown_column_is_not_found():
    with pytest.raises(KeyError, match="page"):
        TABLE.column("page")


def test_a_contract_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TABLE.name = "other"
    with pytest.raises(dataclasses.FrozenInstanceError):
        TABLE.columns[0].nullable = True


def test_a_column_is_required_and_names_nobody_unless_it_says_so():
    column = TABLE.column("pages")
    assert (column.nullable, column.names_user, column.allowed) == (False, False, ())
