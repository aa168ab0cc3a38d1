import gzip
import json

import ibis
import pytest

from endcap.core.errors import Code, SourceError
from endcap.events.sources.told import as_text, nested, open_told, read_told, told_items

LINE = {
    "name": "view",
    "at": "2026-08-01T10:00:00.250Z",
    "who": "ann",
    "amount": 9.5,
    "things": [{"id": "mug", "cost": 9.5, "num": 2, "at": 3}, {"id": "pen", "cost": "free", "num": "two", "at": "top"}],
}


def tell(event):
    return {
        "event_name": as_text(event.get("name")),
        "time": as_text(event.get("at")),
        "user_id": as_text(event.get("who")),
        "value": as_text(event.get("amount")),
        "items": told_items(
            event.get("things") or [], {"item_id": ("id",), "price": ("cost",), "quantity": ("num",), "place": ("at",)}
        ),
    }


def _open(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    return open_told(path, tell)


def _read(engine, arrow_rows, table):
    reading = read_told(engine.read_arrow(table), {"a.jsonl": 2}, ibis.literal("2026-08-01"))
    return arrow_rows(reading.events.order_by("event_no")), arrow_rows(
        reading.rows.order_by("event_no", "item_ordinal")
    )


def test_an_object_becomes_an_event_with_its_items(tmp_path, engine, arrow_rows):
    table = _open(tmp_path, "a.jsonl", json.dumps(LINE).encode() + b"\n")
    [event], [mug, pen] = _read(engine, arrow_rows, table)
    assert (event["event_no"], event["file"], event["row"], event["fault"]) == (2 * 2**36, "a.jsonl", 0, None)
    assert (event["event_name_read"], event["raw_user_id"], event["value"]) == ("view", "ann", "9.5")
    assert event["at_us"] == 1_785_578_400_250_000
    assert (mug["item_ordinal"], mug["item_id"], mug["price"], mug["quantity"], mug["place"]) == (1, "mug", 9.5, 2, 3)
    assert (pen["price"], pen["price_text"], pen["quantity_text"], pen["place"]) == (None, "free", "two", None)


def test_an_event_without_items_has_one_row(tmp_path, engine, arrow_rows):
    [event], [row] = _read(engine, arrow_rows, _open(tmp_path, "a.jsonl", b'{"name": "search", "who": "ann"}'))
    assert (row["event_no"], row["item_ordinal"], row["item_id"]) == (event["event_no"], 0, None)


def test_what_is_no_object_is_kept_with_its_place(tmp_path, engine, arrow_rows):
    table = _open(tmp_path, "a.jsonl", b'{"name": "a"}\n\n{torn\n[1]\n\xff\n')
    assert [(row["_row"], row["_fault"]) for row in table.to_pylist()] == [
        (0, None),
        (2, "line_unreadable"),
        (3, "line_unreadable"),
        (4, "line_unreadable"),
    ]
    events, rows = _read(engine, arrow_rows, table)
    assert [event["fault"] for event in events] == [None, *["line_unreadable"] * 3]
    assert len(rows) == 4


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b'[{"name": "a"}, {"name": "b"}]'),
        ("a.ndjson.gz", gzip.compress(b'{"name": "a"}\n{"name": "b"}\n', mtime=0)),
    ],
)
def test_objects_may_stand_in_a_list_or_be_packed(tmp_path, name, content):
    assert _open(tmp_path, name, content)["event_name"].to_pylist() == ["a", "b"]


def test_a_list_that_is_cut_off_is_refused_with_its_file(tmp_path):
    with pytest.raises(SourceError, match="cut off or no JSON") as caught:
        _open(tmp_path, "a.json", b'[{"name": "a"}, {"na')
    assert (caught.value.code, caught.value.where) == (Code.SOURCE_UNREADABLE, "a.json")


def test_a_line_that_is_nested_too_deeply_and_a_mark_at_the_beginning_do_not_matter(tmp_path):
    table = _open(tmp_path, "a.jsonl", b'\xef\xbb\xbf{"name": "a"}\n{"name": ' + b"[" * 50_000 + b"\n")
    assert table["event_name"].to_pylist() == ["a", None]
    assert table["_fault"].to_pylist() == [None, "line_unreadable"]


def test_an_empty_file_has_no_events(tmp_path):
    assert _open(tmp_path, "a.jsonl", b"").num_rows == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, None), ("", None), ("x", "x"), (7, "7"), (7.0, "7"), (9.5, "9.5"), (True, "true"), ({"a": 1}, '{"a":1}'),
     (2**60, str(2**60)), (0, "0")],
)  # fmt: skip
def test_a_value_is_written_as_people_write_it(value, text):
    assert as_text(value) == text


def test_a_value_levels_down_is_found_or_missing():
    assert nested({"a": {"b": 1}}, "a", "b") == 1
    assert nested({"a": [1]}, "a", "b") is None
    assert nested(None, "a") is None
