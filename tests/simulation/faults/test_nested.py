import numpy as np
import pyarrow as pa
import pytest

from endcap.simulation.faults.nested import change_field, field_type, leaves, rows_that_hold

KIND = pa.struct([pa.field("price", pa.float64()), pa.field("name", pa.string())])
LISTS = [[{"price": 1.0, "name": "a"}, {"price": 2.0, "name": None}], None, [], [None, {"price": None, "name": "b"}]]
STRUCTS = [{"web": {"browser": "x"}}, {"web": None}, None, {"web": {"browser": None}}]


@pytest.fixture
def table():
    """Four rows, a slice in two chunks: neither offsets nor chunks may matter."""
    columns = {
        "items": pa.array([[{"price": 9.0}], *LISTS], pa.list_(KIND)),
        "device": pa.array([None, *STRUCTS], pa.struct([("web", pa.struct([("browser", pa.string())]))])),
        "name": ["z", "a", None, "c", "d"],
    }
    whole = pa.table(columns)
    return pa.concat_tables([whole.slice(1, 2), whole.slice(3)])


def test_a_field_has_a_type_or_is_not_there(table):
    assert field_type(table.schema, ("items", "price")) == pa.float64()
    assert field_type(table.schema, ("device", "web", "browser")) == pa.string()
    assert field_type(table.schema, ("items", "sku")) is None
    assert field_type(table.schema, ("name", "price")) is None
    assert field_type(table.schema, ("geo",)) is None


def test_values_know_their_rows(table):
    values, row = leaves(table, ("items", "price"))
    assert (values.to_pylist(), row.tolist()) == ([1.0, 2.0, None, None], [0, 0, 3, 3])


def test_rows_hold_a_field_where_any_of_its_values_is_there(table):
    assert rows_that_hold(table, ("items", "price")).tolist() == [True, False, False, False]
    assert rows_that_hold(table, ("items", "name")).tolist() == [True, False, False, True]
    assert rows_that_hold(table, ("device", "web", "browser")).tolist() == [True, False, False, False]
    assert rows_that_hold(table, ("name",)).tolist() == [True, False, True, True]
    assert not rows_that_hold(table, ("geo", "country")).any()


@pytest.mark.parametrize("path", [("items", "price"), ("items", "name"), ("device", "web", "browser"), ("name",)])
def test_a_change_that_changes_nothing_gives_the_same_table(table, path):
    assert change_field(table, path, lambda values, _row: values).equals(table)


def test_a_change_sees_the_row_of_each_value_and_leaves_what_lies_beside(table):
    seen = []
    changed = change_field(table, ("items", "price"), lambda values, row: seen.append(row) or values.cast(pa.string()))
    assert np.concatenate(seen).tolist() == [0, 0, 3, 3]
    assert changed.column("items").to_pylist() == [
        [{"price": "1", "name": "a"}, {"price": "2", "name": None}],
        None,
        [],
        [None, {"price": None, "name": "b"}],
    ]
    assert changed.select(["device", "name"]).equals(table.select(["device", "name"]))
