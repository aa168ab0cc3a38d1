import pytest

from endcap.events.detect_catalogue import add_catalogue, is_catalogue
from endcap.events.detected import Detected

FEED = "id\ttitle\tprice\nmug\tMug\t9.50 EUR\n"
STOCK = "id\tavailability\nmug\tout_of_stock\n"


@pytest.fixture
def found(tmp_path):
    """What is recognised of files, given as name -> content."""

    def detect(files):
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(content)
        detected = Detected("ga4", str(tmp_path), {})
        paths = sorted(path for path in tmp_path.rglob("*") if path.is_file())
        taken = add_catalogue(detected, paths, tmp_path, "")
        return detected, {path.relative_to(tmp_path).as_posix() for path in taken}

    return detect


def test_feeds_and_updates_by_day_are_taken_before_a_feed_without_a_day(found):
    days = {f"feeds/catalog_2026030{day}.tsv": FEED for day in (1, 2)}
    stock = {f"inventory/inventory_2026030{day}.tsv": STOCK for day in (1, 2)}
    detected, taken = found({"catalog.tsv": FEED, **days, **stock, "readme.md": ""})
    assert detected.settings["catalogue"] == {
        "kind": "merchant",
        "file": "",
        "feeds": "feeds/catalog_*.tsv",
        "updates": "inventory/inventory_*.tsv",
    }
    assert taken == {"catalog.tsv", *days, *stock}
    assert detected.default_currency == "EUR"
    assert "feeds by day: 2 files up to catalog_20260302.tsv" in detected.found
    assert "prices and stock by day: 2 files up to inventory_20260302.tsv" in detected.found
    assert "1 feeds such as catalog.tsv: those by day are read" in detected.ignored


def test_updates_are_taken_beside_a_feed_without_a_day_and_alone(found):
    stock = {"stock-2026-03-01.tsv": STOCK}
    assert found(stock)[0].settings["catalogue"] == {"kind": "merchant", "file": "", "updates": "stock-*.tsv"}
    both = found({"catalog.tsv": FEED})[0].settings["catalogue"]
    assert both == {"kind": "merchant", "file": "catalog.tsv", "updates": "stock-*.tsv"}


def test_a_glob_that_would_take_in_another_file_is_the_name_of_the_last_one(found):
    detected, taken = found({"20260301.tsv": FEED, "20260302.tsv": FEED, "all.tsv": FEED})
    assert detected.settings["catalogue"]["feeds"] == "20260302.tsv"
    assert taken == {"20260301.tsv", "20260302.tsv", "all.tsv"}


def test_a_folder_without_a_catalogue_has_none(found):
    assert found({"stock.tsv": STOCK, "notes.txt": "id and title\n"})[0].settings == {}


def test_a_feed_and_an_update_by_day_are_a_catalogue_and_a_log_is_none(tmp_path):
    files = {"a.tsv": FEED, "b_20260301.csv": "id,price\n", "b.csv": "id,price\n", "log.csv": "event_time,item_id\n"}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    assert [is_catalogue(tmp_path / name) for name in files] == [True, True, False, False]
