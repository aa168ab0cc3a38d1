import shutil

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from endcap.core.tables import QUALITY
from endcap.stores.adapters.delta import DeltaTables
from endcap.testing.compared import _differences, compare_tables


def test_a_shop_is_like_its_copy_until_a_row_is_another(whole, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "copy")
    same = compare_tables(whole, copy, scratch=tmp_path)
    assert (same.rows_that_differ, same.largest_relative_difference, same.columns_that_differ) == (0, 0.0, {})
    assert same.tables > 10
    store = DeltaTables(copy / "lake")
    rows = pa.table(DeltaTable(store.folder(QUALITY)).to_pyarrow_table()).select(QUALITY.names)
    days = pc.unique(rows["date_partition"]).to_pylist()
    more = pa.concat_arrays([pa.array([1]), pa.array([0] * (rows.num_rows - 1))])
    changed = rows.set_column(rows.column_names.index("value"), "value", pc.add(rows["value"], more))
    store.replace(QUALITY, days, changed.to_reader())
    other = compare_tables(whole, copy, scratch=tmp_path)
    assert (other.rows, other.rows_that_differ) == (same.rows, 1)
    assert list(other.columns_that_differ) == ["quality.value"]
    store.replace(QUALITY, days, rows.slice(1).to_reader())
    assert compare_tables(whole, copy, scratch=tmp_path).columns_that_differ == {"quality rows": 1}


def test_no_number_is_like_one_that_is_missing_or_endless():
    one = pa.chunked_array([[1.0, float("nan"), float("inf"), 3.0]])
    other = pa.chunked_array([[float("nan"), float("nan"), 2.0, 3.0 + 1e-12]])
    bad, largest = _differences(one, other)
    assert bad == {0, 2}
    assert 0 < largest < 1e-11
