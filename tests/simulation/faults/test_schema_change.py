import pyarrow as pa

from endcap.simulation.faults.nested import field_type
from endcap.simulation.faults.schema_change import ADDED, RENAMED, RETYPED, change_schema, restore_names


def test_one_column_is_renamed_one_is_new_and_three_fields_have_another_type(table):
    changed = change_schema(table)
    assert set(changed.column_names) - set(table.column_names) == {ADDED, *RENAMED.values()}
    assert set(table.column_names) - set(changed.column_names) == set(RENAMED)
    for path, kind in RETYPED.items():
        assert field_type(changed.schema, path) == kind != field_type(table.schema, path)
    assert changed.column("event_timestamp").to_pylist() == [str(at) for at in table["event_timestamp"].to_pylist()]


def test_every_value_can_be_read_back(table):
    assert restore_names(change_schema(table)).cast(table.schema).equals(table)


def test_a_field_that_an_export_does_not_have_is_not_changed():
    table = pa.table({"event_timestamp": [1], "items": pa.array([[]], pa.list_(pa.struct([("item_id", pa.string())])))})
    changed = change_schema(table)
    assert changed.column_names == ["event_timestamp", "items", ADDED]
    assert changed.schema.field("items").type == table.schema.field("items").type
