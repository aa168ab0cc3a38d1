import csv
from dataclasses import replace

import numpy as np
import pytest

from endcap.events.catalogue import read_catalogue
from endcap.events.catalogue_config import MerchantCatalogue
from endcap.simulation.catalogue import BRANDS, make_catalogue
from endcap.simulation.feed import write_feed, write_inventory
from endcap.simulation.settings import make_world
from endcap.simulation.tastes import make_laws, make_tastes


@pytest.fixture(scope="module")
def range_of_a_week():
    """Goods and laws of ten items: the fourth is not sold, the third reduced, the second has no price."""
    world = make_world("stationary", items=10)
    goods = make_catalogue(world)
    laws = make_laws(world, goods, make_tastes(world, goods), 0)
    is_sold = np.arange(10) != 3
    reduced = np.where(np.arange(10) == 2, goods.price_minor // 2, goods.price_minor)
    goods = replace(goods, is_priced=np.arange(10) != 1)
    return goods, replace(laws, is_sold=is_sold, price_minor=reduced)


def lines_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_the_feed_tells_what_is_sold_under_merchant_names(range_of_a_week, tmp_path):
    goods, laws = range_of_a_week
    pieces = np.arange(10) % 5
    write_feed(tmp_path / "catalog.tsv", goods, laws, pieces)
    lines = lines_of(tmp_path / "catalog.tsv")
    assert [line["id"] for line in lines] == [f"P{number:04d}" for number in range(1, 11) if number != 4]
    assert [line["availability"] for line in lines] == [
        "out_of_stock",
        *["in_stock"] * 3,
        "out_of_stock",
        *["in_stock"] * 4,
    ]
    assert lines[1]["price"] == lines[1]["sale_price"] == ""
    assert [bool(line["sale_price"]) for line in lines] == [number == 2 for number in range(9)]
    price, sale_price = goods.price_minor[2], goods.price_minor[2] // 2
    assert lines[2]["price"] == f"{price // 100}.{price % 100:02d} USD"
    assert lines[2]["sale_price"] == f"{sale_price // 100}.{sale_price % 100:02d} USD"
    assert 0 < float(lines[0]["cost_of_goods_sold"].split()[0]) < float(lines[0]["price"].split()[0])
    assert (lines[0]["color"], lines[0]["material"]) == (goods.colour[0].as_py(), goods.material[0].as_py())


def test_the_header_is_plain(range_of_a_week, tmp_path):
    write_feed(tmp_path / "catalog.tsv", *range_of_a_week, np.ones(10, int))
    assert (tmp_path / "catalog.tsv").read_text().startswith("id\ttitle\tdescription\tproduct_type\tbrand\t")


def test_our_own_reader_takes_every_line(range_of_a_week, tmp_path):
    write_feed(tmp_path / "catalog.tsv", *range_of_a_week, np.ones(10, int))
    read = read_catalogue(tmp_path / "catalog.tsv", MerchantCatalogue(), default_currency=None, day="feed")
    assert (read.items.num_rows, read.quarantine.num_rows) == (9, 0)


def test_the_inventory_tells_what_it_is_asked_for_and_that_nothing_is_left_of_what_is_no_longer_sold(
    range_of_a_week, tmp_path
):
    goods, laws = range_of_a_week
    which = np.isin(np.arange(10), [0, 2, 3])
    write_inventory(tmp_path / "inventory.tsv", goods, laws, np.array([-1, 1, 7, 5, 1, 1, 1, 1, 1, 1]), which)
    lines = lines_of(tmp_path / "inventory.tsv")
    assert [(line["id"], line["availability"], line["quantity"]) for line in lines] == [
        ("P0001", "out_of_stock", "0"),
        ("P0003", "in_stock", "7"),
        ("P0004", "out_of_stock", "0"),
    ]


def test_prices_are_told_alike_in_feed_and_inventory(range_of_a_week, tmp_path):
    goods, laws = range_of_a_week
    write_feed(tmp_path / "catalog.tsv", goods, laws, np.ones(10, int))
    write_inventory(tmp_path / "inventory.tsv", goods, laws, np.ones(10, int), laws.is_sold)
    feed, inventory = lines_of(tmp_path / "catalog.tsv"), lines_of(tmp_path / "inventory.tsv")
    told = [[(line["id"], line["price"], line["sale_price"]) for line in lines] for lines in (feed, inventory)]
    assert told[0] == told[1]
    assert sum(sale_price != "" for _, _, sale_price in told[0]) == 1


def test_titles_categories_brands_and_prices_come_through_our_own_reader(range_of_a_week, tmp_path):
    goods, laws = range_of_a_week
    write_feed(tmp_path / "catalog.tsv", goods, laws, np.ones(10, int))
    feed = read_catalogue(tmp_path / "catalog.tsv", MerchantCatalogue(), default_currency=None, day="feed")
    for item in feed.items.to_pylist():
        number = int(item["item_id"][1:]) - 1
        assert item["title"] == goods.titles[number].as_py()
        assert item["category"] == goods.categories[goods.category[number]]
        assert (item["brand"] or "") == BRANDS[goods.brand[number]]
        expected = (laws.price_minor[number], "USD") if number != 1 else (None, None)
        sale = item["sale_price_minor"]
        assert (item["price_minor"] if sale is None else sale, item["currency"]) == expected
