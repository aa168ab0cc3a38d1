import pyarrow as pa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from endcap.core.tables import ITEMS
from endcap.engines.port import arrow_schema
from endcap.events.items_at import items_at


def version(item_id, first, end, price):
    told = {"title": item_id, "availability": "in_stock", "origin": "catalogue", "price_minor": price}
    return dict.fromkeys(ITEMS.names) | {"item_id": item_id, "valid_from_us": first, "valid_to_us": end} | told


def found(engine, versions, asked):
    items = engine.read_arrow(pa.Table.from_pylist(versions, schema=arrow_schema(ITEMS)))
    rows = engine.read_arrow(
        pa.table({"item_id": pa.array([each[0] for each in asked], pa.string()),
                  "at_us": pa.array([each[1] for each in asked], pa.int64()),
                  "number": pa.array(range(len(asked)), pa.int64())})
    )  # fmt: skip
    told = engine.to_arrow(items_at(items, rows).order_by("number"))
    assert told.column_names == ["item_id", "at_us", "number", *ITEMS.names[1:]]
    return told.column("price_minor").to_pylist()


def test_the_version_that_held_is_put_beside_each_row_and_nothing_beside_an_unknown_item(engine):
    versions = [version("mug", 0, 10, 5), version("mug", 10, None, 6), version("pen", 0, None, 1)]
    asked = [("mug", 9), ("mug", 10), ("pen", 0), ("jar", 5), ("mug", 9)]
    assert found(engine, versions, asked) == [5, 6, 1, None, 5]


bounds = st.lists(st.integers(1, 30), unique=True, max_size=5).map(sorted)


@settings(max_examples=6, deadline=None, derandomize=True, phases=[Phase.generate])
@given(mug=bounds, pen=bounds, asked=st.lists(st.tuples(st.sampled_from(["mug", "pen", "jar"]), st.integers(0, 32))))
def test_it_is_the_one_that_a_search_through_all_versions_finds(engine, mug, pen, asked):
    versions = [
        version(item_id, first, end, number)
        for item_id, cuts in (("mug", mug), ("pen", pen))
        for number, (first, end) in enumerate(zip([0, *cuts], [*cuts, None], strict=True))
    ]

    def searched(item_id, at_us):
        for each in versions:
            if each["item_id"] == item_id and each["valid_from_us"] <= at_us < (each["valid_to_us"] or 99):
                return each["price_minor"]
        return None

    assert found(engine, versions, asked) == [searched(*each) for each in asked]
