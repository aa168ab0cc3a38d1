import pyarrow as pa
import pytest

from endcap.serving.items import Items

BATCH = {
    "item_id": ["A", "B"],
    "title": ["Ant", "Bee"],
    "price_minor": [100, None],
    "currency": ["USD", None],
    "availability": ["in_stock", "out_of_stock"],
}


def batch(**changes):
    return pa.RecordBatch.from_pydict(BATCH | changes)


def test_items_have_numbers_and_tell_what_a_slate_shows():
    items = Items(batch())
    assert (items.number("B"), items.number("Z"), items.numbers(["Z", "B", "A"])) == (1, None, [1, 0])
    assert items.told(1) == {"title": "Bee", "price_minor": None, "currency": None, "availability": "out_of_stock"}
    assert items.in_stock_N.tolist() == [True, False]


def test_ids_out_of_order_are_refused():
    with pytest.raises(ValueError, match="ascending"):
        Items(batch(item_id=["B", "A"]))
    with pytest.raises(ValueError, match="ascending"):
        Items(batch(item_id=["A", "A"]))


def test_a_missing_column_is_refused():
    with pytest.raises(ValueError, match="no column title"):
        Items(batch().drop_columns(["title"]))


@pytest.mark.parametrize("num_batches", [0, 1, 3])
def test_files_of_any_number_of_batches_are_read(tmp_path, num_batches):
    path = tmp_path / "items.arrow"
    parts = [batch(item_id=[f"{part}A", f"{part}B"]) for part in range(num_batches)]
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, batch().schema) as writer:
        for part in parts:
            writer.write_batch(part)
    items = Items.open(path)
    assert len(items) == 2 * num_batches
    assert all(items.told(number)["title"] in {"Ant", "Bee"} for number in range(len(items)))
