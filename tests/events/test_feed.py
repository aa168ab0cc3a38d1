import pytest

from endcap.core.clock import instant_of
from endcap.core.tables import QUARANTINE
from endcap.engines.contracts import check_contract
from endcap.events.catalogue import read_catalogue, read_update
from endcap.events.catalogue_config import MerchantCatalogue
from endcap.events.feed import clean_category, read_price

FEED = """id\ttitle\tproduct_type\tbrand\tprice\tavailability
pen\t"A ""fine"" pen"\tHome/Office/\t\t1.50 USD\tin stock
mug\tMug\t(not set)\tAcme\t\tout_of_stock
cup\tCup\t\t\tfree\tin_stock
mug\tMug again\t\t\t2\tin_stock
jar\tJar\t\t\t-3 USD\tin_stock
box\tBox\t\t\t3\tmaybe
one field
\tNameless\t\t\t1\t
"""


def _read(tmp_path, text=FEED):
    path = tmp_path / "feed.tsv"
    path.write_text(text, encoding="utf-8")
    return read_catalogue(path, MerchantCatalogue(), default_currency="USD", day="feed-2026-08-01")


def test_a_feed_is_cleaned(tmp_path):
    mug, pen = _read(tmp_path).items.to_pylist()
    assert (pen["title"], pen["category"], pen["brand"], pen["price_minor"]) == (
        'A "fine" pen',
        "Home/Office",
        None,
        150,
    )
    assert (mug["title"], mug["category"], mug["price_minor"], mug["availability"]) == (
        "Mug",
        None,
        None,
        "out_of_stock",
    )


def test_lines_that_cannot_be_read_are_quarantined_with_their_place(tmp_path, engine):
    bad = _read(tmp_path).quarantine
    check_contract(engine, engine.read_arrow(bad), QUARANTINE)
    assert [(row["source_row"], row["reason"], row["detail"]) for row in bad.to_pylist()] == [
        (2, "price_not_a_number", "price = free"),
        (3, "item_id_repeated", "id = mug"),
        (4, "price_negative", "price = -3 USD"),
        (5, "availability_unknown", "availability = maybe"),
        (6, "line_unreadable", "number of fields differs from the header"),
        (7, "item_missing", "id"),
    ]


@pytest.mark.parametrize(
    ("written", "reason"),
    [("15 or 16", "price_not_a_number"), ("1,5 USD", "price_not_a_number"), ("15", "currency_missing"),
     ("USD", "price_not_a_number"), ("99999999999999 USD", "price_out_of_range")],
)  # fmt: skip
def test_a_price_that_is_none_tells_why(written, reason):
    with pytest.raises(ValueError, match=reason):
        read_price(written, None)


@pytest.mark.parametrize(("written", "minor"), [("10.125 USD", 1013), ("1.005 USD", 101), ("0.5 JPY", 1)])
def test_a_price_is_rounded_half_away_from_zero(written, minor):
    assert read_price(written, None)[0] == minor


def test_an_unfilled_template_is_no_category():
    assert clean_category("${escCatTitle}") is None


def _sale(item):
    return item["price_minor"], item["sale_price_minor"], item["sale_from_us"], item["sale_to_us"]


def test_a_sale_price_is_told_with_its_time_beside_the_price(tmp_path):
    header = "id\ttitle\tprice\tsale_price\tsale_price_effective_date\n"
    feed = header + "mug\tMug\t10 USD\t8 USD\t2026-03-01T00:00Z/2026-03-08T08:00+0100\npen\tPen\t10\t\t\n"
    mug, pen = _read(tmp_path, feed).items.to_pylist()
    assert _sale(mug) == (1000, 800, instant_of("2026-03-01T00:00Z"), instant_of("2026-03-08T07:00Z"))
    assert (mug["currency"], mug["sale_currency"]) == ("USD", "USD")
    assert _sale(pen) == (1000, None, None, None)


def test_a_sale_price_without_a_time_has_no_ends_and_an_unreadable_one_is_quarantined(tmp_path):
    header = "id\ttitle\tprice\tsale_price\tsale_price_effective_date\n"
    lines = "mug\tMug\t10 USD\t8 USD\t\npen\tPen\t10 USD\t8 USD\tsoon\ncup\tCup\t10 USD\thalf\t\n"
    feed = _read(tmp_path, header + lines)
    assert [(item["item_id"], *_sale(item)) for item in feed.items.to_pylist()] == [("mug", 1000, 800, None, None)]
    assert [(row["reason"], row["detail"]) for row in feed.quarantine.to_pylist()] == [
        ("sale_period_unreadable", "sale_price_effective_date = soon"),
        ("price_not_a_number", "sale_price = half"),
    ]


def test_what_a_feed_leaves_out_is_missing_but_stock_which_is_there(tmp_path):
    [mug] = _read(tmp_path, "id\ttitle\tavailability\nmug\t\t\n").items.to_pylist()
    assert (mug["title"], mug["price_minor"], mug["availability"]) == (None, None, "in_stock")


def test_an_update_says_price_and_stock_alone_and_no_more_than_it_says(tmp_path):
    path = tmp_path / "update.tsv"
    path.write_text("id\ttitle\tprice\tavailability\nmug\tMug\t9\t\npen\t\t\tout of stock\njar\t\tfree\t\n")
    read = read_update(path, MerchantCatalogue(), default_currency="USD", day="feed-2026-08-01")
    told = ("item_id", "title", "price_minor", "currency", "availability")
    assert [tuple(item[name] for name in told) for item in read.items.to_pylist()] == [
        ("mug", None, 900, "USD", None),
        ("pen", None, None, None, "out_of_stock"),
    ]
    assert [(row["source_row"], row["date_partition"]) for row in read.quarantine.to_pylist()] == [
        (2, "feed-2026-08-01")
    ]
