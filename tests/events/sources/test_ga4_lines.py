import json

import ibis
import pytest

from endcap.events.reader_config import Ga4Reader
from endcap.events.sources.ga4 import read_ga4
from endcap.events.sources.ga4_lines import open_ga4_lines

LINE = {
    "event_timestamp": "1785578400250000",
    "event_name": "purchase",
    "user_pseudo_id": "c1",
    "event_params": [
        {"key": "ga_session_id", "value": {"int_value": "7"}},
        {"key": "currency", "value": {"string_value": "EUR"}},
    ],
    "ecommerce": {"transaction_id": "T1", "purchase_revenue": 23.95},
    "items": [{"item_id": "mug", "price": 9.5, "quantity": "2", "item_list_index": "3"}, {"item_id": "pen"}],
    "geo": {"country": "Peru", "city": "Lima"},
    "stream_id": "1",
}


def _open(tmp_path, *lines, columns=None):
    path = tmp_path / "events_20260801.jsonl"
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return open_ga4_lines(path, columns or {})


def _read(engine, arrow_rows, table):
    reading = read_ga4(engine.read_arrow(table), Ga4Reader(), {"events_20260801.jsonl": 0}, ibis.literal("2026-08-01"))
    return arrow_rows(reading.events.order_by("event_no")), arrow_rows(
        reading.rows.order_by("event_no", "item_ordinal")
    )


def test_a_line_is_read_as_the_row_of_a_parquet_file(tmp_path, engine, arrow_rows):
    [event], [mug, pen] = _read(engine, arrow_rows, _open(tmp_path, LINE))
    assert (event["at_us"], event["raw_device_id"], event["source_session_id"]) == (1785578400250000, "c1", "7")
    assert (event["value"], event["currency"], event["transaction_id"]) == ("23.95", "EUR", "T1")
    assert (event["country"], event["fault"]) == ("Peru", None)
    assert (mug["item_id"], mug["price"], mug["quantity"], mug["place"]) == ("mug", 9.5, 2, 3)
    assert (pen["item_ordinal"], pen["price"]) == (2, None)


def test_a_line_that_is_no_object_is_kept_with_its_place(tmp_path, engine, arrow_rows):
    events, rows = _read(engine, arrow_rows, _open(tmp_path, "{torn", LINE, "[1]"))
    assert [(event["row"], event["fault"]) for event in events] == [
        (0, "line_unreadable"),
        (1, None),
        (2, "line_unreadable"),
    ]
    assert len(rows) == 4


@pytest.mark.parametrize("items", ['[{"item_id": "mug"}]', {"item_id": "mug"}])
def test_items_may_be_text_or_one_alone(tmp_path, engine, arrow_rows, items):
    _, [row] = _read(engine, arrow_rows, _open(tmp_path, {**LINE, "items": items}))
    assert row["item_id"] == "mug"


def test_events_may_stand_in_a_list(tmp_path):
    (tmp_path / "events.json").write_text(json.dumps([LINE, LINE]))
    assert open_ga4_lines(tmp_path / "events.json", {})["_row"].to_pylist() == [0, 1]


@pytest.mark.parametrize("items", [None, "mug", [7], {}])
def test_items_of_another_form_are_no_items(tmp_path, engine, arrow_rows, items):
    [event], [row] = _read(engine, arrow_rows, _open(tmp_path, {**LINE, "items": items}))
    assert (event["fault"], row["item_id"]) == (None, None)


def test_a_column_of_another_name_is_read_where_a_line_has_it(tmp_path):
    renamed = {("pseudo_user_id" if name == "user_pseudo_id" else name): value for name, value in LINE.items()}
    table = _open(tmp_path, LINE, renamed, columns={"user_pseudo_id": "pseudo_user_id"})
    assert table["user_pseudo_id"].to_pylist() == ["c1", "c1"]
