import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.clock import fixed_clock
from endcap.flows.refresh import refresh
from endcap.testing.content import shop_content

LATER = fixed_clock("2026-01-03T18:00:00")


@pytest.fixture(scope="module")
def content(whole):
    return shop_content(whole)


def different(left, right):
    return {name for name in {*left, *right} if left.get(name) != right.get(name)}


def data_file(root, table, day):
    (path,) = (root / "lake" / table / f"date_partition={day}").glob("*.parquet")
    return path


def test_content_names_tables_by_day_models_measures_and_the_files_of_the_bundle(content):
    assert {"table events 2026-01-01", "table events 2026-01-02", "table user_features 2026-01-03"} <= set(content)
    assert {"table items", "train popular", "train item_markov", "evaluate", "bundle", "metrics"} <= set(content)
    assert "bundle file histories/items.npy" in content
    assert set(json.loads(content["metrics"])) == {"popular", "item_markov"}
    assert "table slates" not in " ".join(content)  # nothing was served


def test_a_shop_of_equal_content_in_another_place_is_equal(content, copy):
    assert shop_content(copy) == content


def test_doing_everything_again_later_changes_no_content(content, copy):
    again = ("sessions", "sequences", "train", "evaluate", "bundle")
    told = refresh(copy, again=again, clock=LATER)
    assert [report.step for report in told.steps if report.state == "done"] == list(again)
    assert shop_content(copy) == content


def test_a_changed_value_in_one_file_is_seen_though_the_ledger_knows_nothing_of_it(content, copy):
    path = data_file(copy, "sessions", "2026-01-01")
    rows = pq.read_table(path)
    column = rows.column_names.index("num_views")
    more = pa.array([count + 1 for count in rows["num_views"].to_pylist()], pa.int64())
    pq.write_table(rows.set_column(column, "num_views", more), path)
    assert different(shop_content(copy), content) == {"table sessions 2026-01-01"}


def test_a_missing_row_is_seen_and_counted(content, copy):
    path = data_file(copy, "examples", "2026-01-02")
    rows = pq.read_table(path)
    pq.write_table(rows.slice(1), path)
    found = shop_content(copy)
    assert different(found, content) == {"table examples 2026-01-02"}
    assert int(found["table examples 2026-01-02"].split()[0]) == rows.num_rows - 1


def test_the_order_of_rows_in_a_file_does_not_matter(content, copy):
    path = data_file(copy, "events", "2026-01-01")
    rows = pq.read_table(path)
    pq.write_table(rows.take(pa.array(range(rows.num_rows - 1, -1, -1))), path)
    assert shop_content(copy) == content


def test_another_bundle_in_force_is_seen(content, copy):
    refresh(copy, through="2026-01-01", clock=LATER)
    assert {"bundle", "bundle file histories/items.npy", "train popular"} <= different(shop_content(copy), content)
