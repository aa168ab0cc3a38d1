import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.errors import Code, SourceError
from endcap.events.config import EventsConfig

DAY = "2026-08-01"
READER = {
    "kind": "mapped",
    "time": "ts",
    "event_columns": ["invoice"],
    "user_id": "customer",
    "guest_from": "invoice",
    "item_id": "code",
    "item_id_case": "upper",
    "price": "price",
    "quantity": "quantity",
    "transaction_id": "invoice",
    "keep": [{"column": "code", "matches": "^[0-9]{5}[A-Za-z]*$", "reason": "not_a_product"}],
    "rules": [
        {
            "event_name": "purchase",
            "when": [{"column": "quantity", "above": 0}, {"column": "invoice", "not_matches": "^C"}],
        },
        {"event_name": "refund", "quantity": "absolute"},
    ],
}
ORDERS = [
    ("1", "10001", 2, "08:00", "1.50", "7"),
    ("1", "10002a", 1, "08:00", "2.00", "7"),
    ("1", "10001", 2, "08:00", "1.50", "7"),
    ("1", "POST", 1, "08:00", "5.00", "7"),
    ("2", "10001", 1, "09:00", "1.50", None),
    ("C3", "10001", -2, "10:00", "1.50", "7"),
    ("4", "10001", 1, "11:00", "free", "7"),
]


@pytest.fixture
def shop():
    return EventsConfig(source="drop", default_currency="GBP", reader=READER)


def _lines(orders):
    return [
        {
            "invoice": row[0],
            "code": row[1],
            "quantity": row[2],
            "ts": f"{DAY} {row[3]}",
            "price": row[4],
            "customer": row[5],
        }
        for row in orders
    ]


def _told(taken):
    return [
        (
            row["event_name"],
            row["transaction_id"],
            row["item_ordinal"],
            row["item_id"],
            row["quantity"],
            row["price_minor"],
        )
        for row in sorted(taken.events, key=lambda row: (row["at_us"], row["item_ordinal"]))
    ]


EXPECTED = [
    ("purchase", "1", 1, "10001", 2, 150),
    ("purchase", "1", 2, "10002A", 1, 200),
    ("purchase", "2", 1, "10001", 1, 150),
    ("refund", "C3", 1, "10001", 2, 150),
]


def test_order_lines_become_events_by_settings_alone(tmp_path, shop, take_in):
    pq.write_table(pa.Table.from_pylist(_lines(ORDERS)), tmp_path / "orders.parquet")
    taken = take_in(tmp_path, shop)
    assert _told(taken) == EXPECTED
    assert taken.counts["purchase", "read", ""] == (3, 6)
    assert taken.counts["purchase", "deduplicated", ""] == (0, 1)
    assert taken.counts["purchase", "ignored", "not_a_product"] == (0, 1)
    assert taken.counts["purchase", "quarantined", "price_not_a_number"] == (1, 1)
    guest = next(row for row in taken.events if row["transaction_id"] == "2")
    assert guest["user_key"] == guest["device_key"]


def test_csv_and_json_lines_read_as_parquet_does(tmp_path, shop, take_in, write_lines):
    rows = _lines(ORDERS)
    write_lines(tmp_path / "json" / "orders.jsonl", [*rows, "{torn"])
    header, *lines = [
        ",".join(rows[0]),
        *(",".join("" if value is None else str(value) for value in row.values()) for row in rows),
    ]
    write_lines(tmp_path / "csv" / "orders.csv", [header, *lines, "one,field,too,few"])
    for kind in ("jsonl", "csv"):
        own = shop.model_copy(update={"reader": shop.reader.model_copy(update={"files": f"*.{kind}"})})
        taken = take_in(tmp_path, own)
        assert _told(taken) == EXPECTED
        assert [(row["reason"], row["source_row"]) for row in taken.quarantine] == [
            ("price_not_a_number", 6), ("line_unreadable", 7)]  # fmt: skip


def test_an_order_that_is_exported_twice_counts_once(tmp_path, shop, take_in):
    pq.write_table(pa.Table.from_pylist(_lines(ORDERS)), tmp_path / "a.parquet")
    pq.write_table(pa.Table.from_pylist(_lines(ORDERS[:2])), tmp_path / "b.parquet")
    assert _told(take_in(tmp_path, shop)) == EXPECTED


def test_local_times_are_turned_into_utc(tmp_path, shop, take_in):
    pq.write_table(pa.Table.from_pylist(_lines([("1", "10001", 1, "00:30", "1", "7")])), tmp_path / "a.parquet")
    own = shop.model_copy(update={"reader": shop.reader.model_copy(update={"timezone": "Europe/London"})})
    assert take_in(tmp_path, own).events[0]["date_partition"] == "2026-07-31"


def test_wild_numbers_are_quarantined_and_stop_nothing(tmp_path, shop, take_in):
    at_ms = 1_785_571_200_000
    rows = [
        {"invoice": str(place), "code": "10001", "quantity": quantity, "ts": ts, "price": price, "customer": "7"}
        for place, (ts, quantity, price) in enumerate(
            [(at_ms, 1.0, 1.5), (10**17, 1.0, 1.5), (at_ms, float("inf"), 1.5), (at_ms, 1.0, float("inf")),
             (at_ms, 1.0, 1e300), (at_ms, 1e300, 1.5), (at_ms, 1.0, float("-inf")), (at_ms, 1.0, float("nan"))]
        )
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    own = shop.model_copy(update={"reader": shop.reader.model_copy(update={"time_unit": "ms"}), "max_bad_share": 1.0})
    taken = take_in(tmp_path, own)
    assert {(row["transaction_id"], row["price_minor"]) for row in taken.events} == {("0", 150), ("7", None)}
    assert sorted((row["source_row"], row["reason"]) for row in taken.quarantine) == [
        (1, "at_missing"),
        (2, "quantity_out_of_range"),
        (3, "price_out_of_range"),
        (4, "price_out_of_range"),
        (5, "quantity_out_of_range"),
        (6, "price_negative"),
    ]


def test_a_column_that_is_not_there_is_named(tmp_path, shop, take_in):
    pq.write_table(pa.Table.from_pylist(_lines(ORDERS)).rename_columns(
        ["invoice", "code", "quantity", "ts", "prices", "customer"]), tmp_path / "a.parquet")  # fmt: skip
    with pytest.raises(SourceError, match="did you mean 'prices'") as caught:
        take_in(tmp_path, shop)
    assert caught.value.code == Code.SOURCE_COLUMN
    assert "a.parquet" in caught.value.where
