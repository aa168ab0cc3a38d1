import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.errors import Code, SourceError
from endcap.events.config import EventsConfig
from endcap.events.detect import detect
from endcap.events.files import scan_files

DAY = "2026-08-01"


def test_a_ga4_export_with_a_feed_is_recognised(tmp_path, engine, ga4_event, write_ga4):
    write_ga4(tmp_path, DAY, [ga4_event(name, 1) for name in ("view_item", "quickview", "dance", "page_view")])
    (tmp_path / "catalog.tsv").write_text("id\ttitle\tprice\nmug\tMug\t9.50 EUR\npen\tPen\tfree\n")
    (tmp_path / "readme.md").touch()
    detected = detect(engine, tmp_path)
    assert (detected.kind, detected.default_currency) == ("ga4", "EUR")
    assert detected.settings["folds"] == [{"event_name": "quickview", "into": "view_item", "within_s": 2.0}]
    assert detected.settings["catalogue"] == {"kind": "merchant", "file": "catalog.tsv"}
    told = " ".join(detected.ignored)
    assert all(word in told for word in ("dance", "page_view", "1 lines of catalog.tsv", "readme.md"))


def test_orders_in_a_flat_file_are_guessed_by_their_columns(tmp_path, engine):
    rows = {
        "invoice": ["1"],
        "stock_code": ["mug"],
        "quantity": [-1],
        "ts": pa.array([0], pa.timestamp("us")),
        "what": ["x"],
    }
    pq.write_table(pa.table(rows), tmp_path / "orders.parquet")
    detected = detect(engine, tmp_path)
    reader = detected.settings["reader"]
    assert (reader["time"], reader["item_id"], reader["guest_from"]) == ("ts", "stock_code", "invoice")
    assert [rule["event_name"] for rule in reader["rules"]] == ["purchase", "refund"]
    assert detected.unsure == {"what": "string"}
    assert detected.ignored == []


def test_prices_whose_currency_nothing_names_are_told_before_the_first_refresh(tmp_path, engine):
    (tmp_path / "log.csv").write_text("event_time,event_type,user_id,product_id,price\n2026-08-01,view,u,mug,9.5\n")
    assert "set events.default_currency" in detect(engine, tmp_path).ignored[0]
    (tmp_path / "catalog.tsv").write_text("id\ttitle\tprice\nmug\tMug\t9.50 EUR\n")
    assert detect(engine, tmp_path).ignored == []


def test_a_flat_event_log_keeps_its_event_names(tmp_path, engine):
    (tmp_path / "log.csv").write_text(
        "event_time,event_type,user_id,product_id\n2026-08-01,view,u,mug\n2026-08-01,jump,u,mug\n"
    )
    detected = detect(engine, tmp_path)
    assert detected.settings["reader"]["event_name"] == "event_type"
    assert detected.settings["renames"] == {"view": "view_item"}
    assert "jump" in detected.ignored[0]


@pytest.mark.parametrize(("second", "columns"), [("e1", None), ("e2", ["order_id"])])
def test_rows_are_put_together_by_the_event_id_if_it_repeats_and_by_the_order_else(tmp_path, engine, second, columns):
    (tmp_path / "log.csv").write_text(
        "event_time,event_name,event_id,user_id,item_id,order_id\n"
        f"2026-08-01,purchase,e1,u,mug,o1\n2026-08-01,purchase,{second},u,pen,o1\n"
    )
    reader = detect(engine, tmp_path).settings["reader"]
    assert (reader["event_id"], reader.get("event_columns")) == ("event_id", columns)


def test_a_line_that_was_delivered_twice_does_not_make_its_order_several(tmp_path, engine):
    line = "2026-08-01,purchase,e{0},u,{1},o1\n"
    (tmp_path / "log.csv").write_text(
        "event_time,event_name,event_id,user_id,item_id,order_id\n"
        + line.format(1, "mug")
        + line.format(2, "pen")
        + line.format(2, "pen")
    )
    assert detect(engine, tmp_path).settings["reader"]["event_columns"] == ["order_id"]


def test_parquet_files_beside_a_ga4_export_that_lack_a_column_are_named_with_it(tmp_path, engine, ga4_event, write_ga4):
    write_ga4(tmp_path, "2026-08-01", [ga4_event("search", 1)])
    path = write_ga4(tmp_path, "2026-08-02", [ga4_event("search", 1, day="2026-08-02")])
    pq.write_table(pq.read_table(path).rename_columns({"user_pseudo_id": "pseudo_user_id"}), path)
    [told] = detect(engine, tmp_path).ignored
    assert told.startswith("1 Parquet files such as events_20260802.parquet, which have no column user_pseudo_id")
    assert told.endswith('say columns = { user_pseudo_id = "pseudo_user_id" } under [events.reader]')


def test_an_export_whose_first_file_has_the_other_schema_is_recognised(tmp_path, engine, ga4_event, write_ga4):
    path = write_ga4(tmp_path, "2026-08-01", [ga4_event("search", 1)])
    pq.write_table(pq.read_table(path).rename_columns({"user_pseudo_id": "pseudo_user_id"}), path)
    write_ga4(tmp_path, "2026-08-02", [ga4_event("search", 1, day="2026-08-02")])
    detected = detect(engine, tmp_path)
    assert detected.kind == "ga4"
    assert "1 Parquet files such as events_20260801.parquet" in detected.ignored[0]


def test_flat_files_with_another_header_than_the_first_are_told(tmp_path, engine):
    (tmp_path / "a.csv").write_text("timestamp,event_name,user_id,item_id\n2026-08-01T10:00:00,view_item,u,mug\n")
    (tmp_path / "b.csv").write_text("timestamp,event_name,user_id,product\n2026-08-02T10:00:00,view_item,u,mug\n")
    [told] = detect(engine, tmp_path).ignored
    assert told.startswith("1 files such as b.csv, which have no column item_id as a.csv has it")


def test_columns_and_the_currency_can_be_said_where_nothing_gives_them_away(tmp_path, engine):
    (tmp_path / "log.csv").write_text("wann,was,wer,artikel,preis\n2026-08-01,view,u,mug,9.5\n")
    with pytest.raises(SourceError, match="wann, was, wer"):
        detect(engine, tmp_path)
    said = {"time": "wann", "event_name": "was", "user_id": "wer", "item_id": "artikel", "price": "preis"}
    detected = detect(engine, tmp_path, columns=said, currency="EUR")
    assert {name: detected.settings["reader"][name] for name in said} == said
    assert detected.default_currency == "EUR"
    assert (detected.ignored, detected.unsure) == ([], {})


@pytest.mark.parametrize(
    ("said", "what"), [({"tme": "wann"}, "did you mean 'time'"), ({"time": "wan"}, "did you mean 'wann'")]
)
def test_a_column_that_is_not_there_is_told(tmp_path, engine, said, what):
    (tmp_path / "log.csv").write_text("wann,was,wer,artikel\n2026-08-01,view,u,mug\n")
    with pytest.raises(SourceError, match=what) as caught:
        detect(engine, tmp_path, columns=said)
    assert caught.value.code == Code.SOURCE_COLUMN


def test_what_is_not_understood_is_listed(tmp_path, engine):
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(SourceError, match=r"1 \.jpg") as caught:
        detect(engine, tmp_path)
    assert caught.value.code == Code.SOURCE_UNKNOWN
    (tmp_path / "people.csv").write_text("name,age\nann,7\n")
    with pytest.raises(SourceError, match="name, age") as caught:
        detect(engine, tmp_path)
    assert caught.value.code == Code.SOURCE_UNKNOWN


def test_a_missing_or_empty_folder_and_a_damaged_file_are_named(tmp_path, engine):
    for folder in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(SourceError) as caught:
            detect(engine, folder)
        assert caught.value.code == Code.SOURCE_MISSING
    (tmp_path / "events_20260801.parquet").write_bytes(b"PAR1")
    with pytest.raises(SourceError) as caught:
        detect(engine, tmp_path)
    assert caught.value.code == Code.SOURCE_UNREADABLE


def test_a_shop_of_flat_files_with_its_products_beside_them_is_recognised(tmp_path, engine):
    """The products are CSV too: the glob of the events does not take them in."""
    for day in ("01", "02"):
        (tmp_path / f"orders-{day}.csv").write_text(
            f"order_date,order_id,customer_id,sku,quantity,unit_price\n2026-08-{day},o{day},ann,MUG,1,9.50\n"
        )
    (tmp_path / "products.csv").write_text("ID,Type,SKU,Name,Regular price\n1,simple,MUG,Mug,9.50\n")
    detected = detect(engine, tmp_path)
    assert detected.settings["reader"]["files"] == "orders-0*.csv"
    assert detected.settings["catalogue"] == {"kind": "woocommerce", "file": "products.csv"}
    assert "WooCommerce's products: products.csv, 1 items, 0 without a price" in detected.found
    assert any("1 items of products.csv whose prices name no currency" in each for each in detected.ignored)
    said = detect(engine, tmp_path, currency="EUR")
    assert (said.default_currency, said.ignored) == ("EUR", [])


@pytest.mark.parametrize("name", ["log.csv.zst", "log.csv.gz"])
def test_packed_files_are_recognised(tmp_path, engine, name):
    with pa.output_stream(str(tmp_path / name), compression="detect") as file:
        file.write(b"event_time,event_type,user_id,product_id\n2026-08-01,view,u,mug\n")
    assert detect(engine, tmp_path).settings["reader"]["files"] == f"*{name.removeprefix('log')}"


CALL = '{"messageId": "m", "type": "track", "event": "%s", "anonymousId": "a", "timestamp": "2026-01-02T03:04:05Z"}\n'


def test_files_of_one_kind_with_several_endings_are_taken_together(tmp_path, engine):
    (tmp_path / "a.jsonl").write_text(CALL % "Product Viewed")
    with pa.output_stream(str(tmp_path / "b.jsonl.gz"), compression="gzip") as file:
        file.write((CALL % "Product Viewed").encode())
    detected = detect(engine, tmp_path)
    assert detected.settings["reader"] == {"kind": "segment", "files": "*.jsonl*"}
    assert detected.ignored == []


def test_files_that_no_glob_can_tell_apart_are_named(tmp_path, engine):
    for name in ("2026-a", "2026-c"):
        (tmp_path / f"{name}.jsonl").write_text(CALL % "Product Viewed")
    (tmp_path / "2026-b.jsonl").write_text('{"eventType": "search", "visitorId": "c"}\n')
    assert any("1 files such as 2026-b.jsonl hold something else, and are among" in each for each in
               detect(engine, tmp_path).ignored)  # fmt: skip


@pytest.mark.parametrize("other", ["customers.csv", "0-empty.jsonl"])
def test_a_file_that_says_nothing_does_not_hide_one_that_does(tmp_path, engine, other):
    (tmp_path / other).write_text("id,name\n1,ann\n" if other.endswith("csv") else "")
    (tmp_path / "calls.jsonl").write_text(CALL % "Product Viewed")
    assert detect(engine, tmp_path).kind == "segment"


def test_an_event_that_names_an_offer_is_no_catalogue_and_one_with_a_long_line_is_known(tmp_path, engine):
    line = CALL.replace("}\n", ', "properties": {"offerId": "x", "text": "' + "y" * 100_000 + '"}}\n')
    (tmp_path / "calls.jsonl").write_text(line % "Product Viewed")
    detected = detect(engine, tmp_path)
    assert (detected.kind, "catalogue" in detected.settings) == ("segment", False)


def test_a_name_that_may_be_a_persons_is_not_shown_and_one_in_another_case_is_known(tmp_path, engine):
    (tmp_path / "calls.jsonl").write_text(CALL % "Paid by alice@example.com" + CALL % "Purchase")
    detected = detect(engine, tmp_path)
    assert not any("alice" in each for each in [*detected.found, *detected.ignored])
    assert detected.settings["renames"] == {"Purchase": "purchase"}


def test_one_time_far_ahead_does_not_settle_the_unit(tmp_path, engine):
    rows = "".join(f"u{number},mug,{1_767_225_600 + number},view\n" for number in range(5))
    (tmp_path / "log.csv").write_text(f"USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\n{rows}u9,mug,99999999999999,view\n")
    assert detect(engine, tmp_path).settings["reader"]["time_unit"] == "s"


@pytest.mark.parametrize(
    ("content", "kind", "glob"),
    [
        (b"time,user_id,event_name,item_id\n2026-08-01T10:00:00,ann,view_item,mug\n", "mapped", "*.gz"),
        (
            b'{"time": "2026-08-01T10:00:00", "user_id": "ann", "event_name": "view_item", "item_id": "A"}',
            "mapped",
            "*.gz",
        ),
        (b'\n{"messageId": "m1", "type": "track", "event": "Product Viewed"}\n', "segment", "*.gz"),
        (b'[{"eventType": "search", "visitorId": "v"}]', "vertex", "*.gz"),
    ],
)
def test_a_packed_file_without_another_ending_is_known_by_its_content(tmp_path, engine, content, kind, glob):
    with pa.output_stream(str(tmp_path / "events.2026-08-01.gz"), compression="gzip") as file:
        file.write(content)
    detected = detect(engine, tmp_path)
    assert (detected.kind, detected.settings["reader"]["files"]) == (kind, glob)
    (scanned,) = scan_files(lambda: engine, EventsConfig.model_validate({"source": ".", **detected.settings}), tmp_path)
    assert scanned.num_rows == 1
