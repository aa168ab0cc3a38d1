"""One range in every format comes to the same items; the formats themselves are tested in tests/events/sources."""

import csv
import gzip
import io
import json
from xml.sax.saxutils import escape

import pyarrow as pa
import pytest
from pydantic import TypeAdapter

from endcap.core.errors import Code, SourceError
from endcap.events.catalogue import catalogue_kind, is_update, read_catalogue, read_update
from endcap.events.catalogue_config import Catalogue, ShopifyCatalogue
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import simulate

NS = 'xmlns:g="http://base.google.com/ns/1.0"'


@pytest.fixture(scope="module")
def feed(tmp_path_factory):
    """The lines of a simulated shop's feed."""
    world = make_world("small", days=1, visitors=20, items=60)
    made = simulate(world, tmp_path_factory.mktemp("range") / "shop", Popular())
    with (made.export / "catalog.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def in_force(line):
    return line["sale_price"] or line["price"]


def as_tsv(lines):
    return table(lines, "\t", {name: name for name in lines[0]})


def table(lines, delimiter, names):
    """Write lines under other names; a name may be a function of a line."""
    file = io.StringIO()
    rows = csv.writer(file, delimiter=delimiter, lineterminator="\n")
    rows.writerow(names)
    rows.writerows([each(line) if callable(each) else line[each] for each in names.values()] for line in lines)
    return file.getvalue()


def as_rss(lines):
    items = "".join(
        "<item>" + "".join(f"<g:{name}>{escape(value)}</g:{name}>" for name, value in line.items() if value) + "</item>"
        for line in lines
    )
    return f"<rss {NS}><channel>{items}</channel></rss>"


def as_json(lines):
    def price(written):
        value, currency = written.split() if written else ("", "")
        return {"value": value, "currency": currency} if written else None

    return json.dumps(
        [
            {
                "offerId": line["id"],
                "title": line["title"],
                "brand": line["brand"],
                "productTypes": [line["product_type"]],
                "availability": line["availability"].replace("_", " "),
                "link": line["link"],
                "imageLink": line["image_link"],
                "price": price(line["price"]),
                "salePrice": price(line["sale_price"]),
            }
            for line in lines
        ]
    )


def as_shopify(lines):
    return table(
        lines,
        ",",
        {
            "URL handle": "id",
            "Title": "title",
            "Vendor": "brand",
            "Product category": "product_type",
            "Status": lambda _line: "Active",
            "Price": lambda line: in_force(line).split(" ")[0],
            "Inventory tracker": lambda _line: "shopify",
            "Inventory quantity": lambda line: int(line["availability"] == "in_stock"),
            "Product image URL": "image_link",
        },
    )


def as_woocommerce(lines):
    return table(
        lines,
        ",",
        {
            "ID": "id",
            "Type": lambda _line: "simple",
            "SKU": "id",
            "Name": "title",
            "Published": lambda _line: 1,
            "In stock?": lambda line: int(line["availability"] == "in_stock"),
            "Sale price": lambda line: line["sale_price"].split(" ")[0],
            "Regular price": lambda line: line["price"].split(" ")[0],
            "Categories": "product_type",
            "Brands": "brand",
            "Images": "image_link",
        },
    )


def as_json_ld(lines):
    return "\n".join(
        json.dumps(
            {
                "@context": "https://schema.org",
                "@type": "Product",
                "sku": line["id"],
                "name": line["title"],
                "brand": line["brand"],
                "category": line["product_type"],
                "url": line["link"],
                "image": line["image_link"],
                "offers": {
                    "price": in_force(line).split(" ")[0],
                    "priceCurrency": "USD",
                    "availability": "https://schema.org/"
                    + ("InStock" if line["availability"] == "in_stock" else "OutOfStock"),
                },
            }
        )
        for line in lines
    )


FORMATS = {
    "catalog.tsv": (as_tsv, "merchant", ()),
    "feed.xml": (as_rss, "merchant", ()),
    "feed.json": (as_json, "merchant", ()),
    "products_export.csv": (as_shopify, "shopify", ("link",)),
    "products.csv": (as_woocommerce, "woocommerce", ("link",)),
    "products.jsonl": (as_json_ld, "json_ld", ()),
}


def read(path, kind):
    settings = TypeAdapter(Catalogue).validate_python({"kind": kind, "file": path.name})
    return read_catalogue(path, settings, default_currency="USD", day="feed")


@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
@pytest.mark.parametrize("name", FORMATS)
def test_one_range_in_every_format_comes_to_the_same_items(feed, tmp_path, name, packed):
    write, kind, unsaid = FORMATS[name]
    (tmp_path / "catalog.tsv").write_text(as_tsv(feed))
    expected = read(tmp_path / "catalog.tsv", "merchant").items
    assert expected.num_rows > 50
    content = write(feed).encode()
    path = tmp_path / f"again-{name}{packed}"
    packings = {"": bytes, ".gz": gzip.compress, ".zst": lambda each: pa.compress(each, codec="zstd", asbytes=True)}
    path.write_bytes(packings[packed](content))
    assert catalogue_kind(path) == kind
    found = read(path, kind)
    assert found.quarantine.num_rows == 0
    assert in_force_of(found.items, unsaid) == in_force_of(expected, unsaid)


def in_force_of(items, unsaid):
    """Some formats tell only the price in force: items with it, without what a format does not say."""
    return [
        {
            **{name: value for name, value in item.items() if name not in unsaid and not name.startswith("sale_")},
            "price_minor": item["price_minor"] if item["sale_price_minor"] is None else item["sale_price_minor"],
        }
        for item in items.to_pylist()
    ]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("stock.tsv", "id\tavailability\n", True),
        ("prices.csv", "price,id\n", True),
        ("sales.txt", "id\tsale_price\tquantity\n", True),
        ("feed.tsv", "id\ttitle\tprice\n", False),
        ("counts.tsv", "id\tquantity\n", False),
        ("stock.xml", "id\tavailability\n", False),
        ("broken.tsv.gz", "no gzip", False),
    ],
)
def test_an_update_is_known_by_what_it_tells(tmp_path, name, content, expected):
    (tmp_path / name).write_text(content)
    assert is_update(tmp_path / name) is expected


def test_an_update_is_read_under_merchants_names_whatever_the_catalogue_is(tmp_path):
    (tmp_path / "stock.csv").write_text("id,availability\nmug,out_of_stock\n")
    read = read_update(tmp_path / "stock.csv", ShopifyCatalogue(), default_currency=None, day="feed")
    assert [(item["item_id"], item["availability"]) for item in read.items.to_pylist()] == [("mug", "out_of_stock")]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("events.csv", "event_time,event_name,user_id,item_id\n"),
        ("events.jsonl", '{"event": "Product Viewed", "properties": {}}\n'),
        ("notes.txt", "id and title\n"),
        ("sitemap.xml", "<urlset></urlset>"),
        ("picture.png", "id\ttitle\n"),
        ("broken.csv.gz", "no gzip"),
    ],
)
def test_what_is_no_catalogue_is_taken_for_none(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert catalogue_kind(tmp_path / name) == ""


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_is_missing_is_told(tmp_path, name):
    with pytest.raises(SourceError) as caught:
        read(tmp_path / name, FORMATS[name][1])
    assert caught.value.code == Code.SOURCE_MISSING
