import pytest

from endcap.core.clock import day_start_us
from endcap.core.errors import Code, DataError
from endcap.core.tables import CATALOGUE, QUARANTINE
from endcap.engines.contracts import check_contract
from endcap.events.catalogue_files import catalogue_files
from endcap.events.config import EventsConfig
from endcap.events.said import quarantined_under, read_said

CONFIG = EventsConfig(
    source="drop",
    default_currency="USD",
    catalogue={"kind": "merchant", "file": "all.tsv", "feeds": "feed_*.tsv", "updates": "stock_*.tsv"},
)
DAY = "2026-03-02"


@pytest.fixture
def said(tmp_path, engine):
    """What files of a day say; given as file name -> lines after the header."""

    def read(partition=DAY, num_before=0, **files):
        for name, lines in files.items():
            header = "id\tprice\tavailability" if name.startswith("stock") else "id\ttitle\tprice\tavailability"
            (tmp_path / f"{name}.tsv").write_text("\n".join([header, *lines]) + "\n")
        found = [file for file in catalogue_files(CONFIG.catalogue, tmp_path) if file.path.stem in files]
        told = read_said(partition, found, CONFIG, num_before=num_before)
        check_contract(engine, engine.read_arrow(told.rows), CATALOGUE)
        check_contract(engine, engine.read_arrow(told.quarantine), QUARANTINE)
        return told

    return read


def test_a_day_says_what_its_feed_says_and_then_what_its_updates_say(said):
    told = said(
        feed_20260302=["mug\tMug\t5\t", "pen\tPen\t\tout_of_stock"],
        stock_20260302_2=["mug\t4\t"],
        stock_20260302_1=["mug\t\tout_of_stock", "pen\t1\tin_stock"],
    )
    names = ("item_id", "ordinal", "kind", "title", "price_minor", "availability")
    assert [tuple(row[name] for name in names) for row in told.rows.to_pylist()] == [
        ("mug", 0, "feed", "Mug", 500, "in_stock"),
        ("pen", 0, "feed", "Pen", None, "out_of_stock"),
        ("mug", 1, "update", None, None, "out_of_stock"),
        ("pen", 1, "update", None, 100, "in_stock"),
        ("mug", 2, "update", None, 400, None),
    ]
    assert set(told.rows["from_us"].to_pylist()) == {day_start_us(DAY)}
    assert set(told.rows["date_partition"].to_pylist()) == {DAY}
    assert told.num_feed == 2


def test_what_a_feed_without_a_day_says_counts_after_what_is_told_of_the_day_it_was_found_on(said):
    rows = said("seen-2026-03-02", all=["mug\tMug\t5\t"]).rows.to_pylist()
    assert [(row["date_partition"], row["from_us"]) for row in rows] == [("seen-2026-03-02", day_start_us(DAY))]
    assert rows[0]["ordinal"] >= 1_000_000
    assert {row["from_us"] for row in said("seen-1970-01-01", all=["mug\tMug\t5\t"]).rows.to_pylist()} == {0}


def test_bad_lines_are_booked_under_the_partition_with_their_file_and_place(said):
    told = said(feed_20260302=["mug\tMug\t5\t", "pen\tPen\tfree\t"], stock_20260302=["mug\t\tperhaps"])
    assert [
        (row["date_partition"], row["source_file"], row["source_row"], row["reason"])
        for row in told.quarantine.to_pylist()
    ] == [
        (quarantined_under(DAY), "feed_20260302.tsv", 1, "price_not_a_number"),
        (quarantined_under(DAY), "stock_20260302.tsv", 0, "availability_unknown"),
    ]


def test_a_file_that_is_mostly_bad_is_refused_feed_or_update(said):
    for name in ("feed_20260302", "stock_20260302"):
        with pytest.raises(DataError, match="30 of 31 lines") as caught:
            said(**{name: ["mug\tMug\t5\t" if "feed" in name else "mug\t5\t", *["one field"] * 30]})
        assert (caught.value.code, caught.value.where) == (Code.TOO_MANY_BAD_ROWS, f"file {name}.tsv")


def test_a_feed_that_lost_most_of_its_items_is_refused_and_a_small_update_is_not(said):
    with pytest.raises(DataError, match="names 1 items, 3 the last time"):
        said(num_before=3, feed_20260302=["mug\tMug\t5\t"])
    assert said(num_before=3, feed_20260302=["mug\tMug\t5\t"], feed_20260302_b=["pen\tPen\t5\t"]).num_feed == 2
    assert said(num_before=3, stock_20260302=["mug\t5\t"]).num_feed == 0


def test_an_empty_update_says_nothing_and_an_empty_feed_is_refused(said):
    assert said(stock_20260302=[]).rows.num_rows == 0
    with pytest.raises(DataError, match="0 items are left"):
        said(feed_20260302=[])
