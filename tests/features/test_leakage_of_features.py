import pyarrow as pa
import pyarrow.compute as pc
import pytest

from endcap.core.tables import USER_FEATURES
from endcap.engines.port import arrow_schema
from endcap.testing.shop_mistakes import MORE_MISTAKES, broken_shop


def test_the_newest_price_is_told_from_the_median_of_the_period(engine, clean, leaks_of):
    name = "price of the newest catalogue version"
    found = leaks_of(broken_shop(engine, clean, name), part="item_features")
    assert [(each.name, each.column) for each in found] == [(MORE_MISTAKES[name].leak, "price_minor")]


@pytest.mark.parametrize("column", ["mean_price_minor_30d", "days_since_seen"])
def test_a_value_that_no_other_days_explain_is_told_as_such(column, clean, leaks_of):
    rows = clean["user_features"].to_pylist()
    changed = [{**row, column: row[column] and row[column] + 100} for row in rows]
    table = pa.Table.from_pylist(changed, arrow_schema(USER_FEATURES))
    found = leaks_of({**clean, "user_features": table}, part="user_features")
    assert [(each.name, each.column) for each in found] == [("feature-not-of-its-past", column)]
    assert found[0].rows == sum(bool(row[column]) for row in rows)


def test_one_wrong_row_of_all_is_found_and_is_the_example(clean, leaks_of):
    features = clean["user_features"]
    views = features["num_views_30d"].to_pylist()
    views[77] += 1
    table = features.set_column(features.schema.get_field_index("num_views_30d"), "num_views_30d", pa.array(views))
    (found,) = leaks_of({**clean, "user_features": table}, part="user_features")
    assert (found.rows, found.of_rows) == (1, len(features))
    assert features["user_key"][77].as_py() in found.example


def test_rows_of_a_later_day_alone_are_told_whole(engine, clean, leaks_of):
    (found,) = leaks_of(broken_shop(engine, clean, "item features of the next day"), part="item_features")
    assert found.column == "all columns"
    last = pc.max(clean["item_features"]["date_partition"]).as_py()
    assert f"day {last}" not in found.example  # it has no later one
