import pyarrow as pa

from endcap.core.tables import SEQUENCES, TABLES
from endcap.engines.port import arrow_schema, empty_table


def test_every_contract_has_an_arrow_schema_with_its_columns_in_order():
    for table in TABLES.values():
        assert arrow_schema(table).names == table.names


def test_lists_become_arrow_lists():
    assert arrow_schema(SEQUENCES).field("item_ids").type == pa.list_(pa.string())


def test_an_empty_table_has_columns_and_no_rows():
    empty = empty_table(SEQUENCES)
    assert (empty.num_rows, empty.column_names) == (0, SEQUENCES.names)
