import pytest

from endcap.core.clock import instant_of
from endcap.core.tables import QUARANTINE
from endcap.engines.contracts import check_contract
from endcap.events.catalogue import read_catalogue
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


def _read(tmp_path, text=FEED, at_us=0):
    path = tmp_path / "feed.tsv"
    path.write_text(text, encoding="utf-8")
    return read_catalogue(path, MerchantCatalogue(), default_currency="USD", day="2026-08-01", at_us=at_us)


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


@pytest.mark.parametrize(
    ("at", "price_minor"),
    [
        ("2026-02-28T23:59Z", 1000),
        ("2026-03-01T00:00Z", 800),
        ("2026-03-08T07:59+0100", 800),
        ("2026-03-08T08:00+0100", 1000),
    ],
)
def test_a_sale_price_counts_while_its_time_lasts(tmp_path, at, price_minor):
    header = "id\ttitle\tprice\tsale_price\tsale_price_effective_date\n"
    feed = header + "mug\tMug\t10 USD\t8 USD\t2026-03-01T00:00Z/2026-03-08T08:00+0100\n"
    [mug] = _read(tmp_path, feed, at_us=instant_of(at)).items.to_pylist()
    assert (mug["price_minor"], mug["currency"]) == (price_minor, "USD")


def test_a_sale_price_without_a_time_counts_always_and_an_unreadable_one_is_quarantined(tmp_path):
    header = "id\ttitle\tprice\tsale_price\tsale_price_effective_date\n"
    lines = "mug\tMug\t10 USD\t8 USD\t\npen\tPen\t10 USD\t8 USD\tsoon\ncup\tCup\t10 USD\thalf\t\n"
    feed = _read(tmp_path, header + lines)
    assert [(item["item_id"], item["price_minor"]) for item in feed.items.to_pylist()] == [("mug", 800)]
    assert [(row["reason"], row["detail"]) for row in feed.quarantine.to_pylist()] == [
        ("sale_period_unreadable", "sale_price_effective_date = soon"),
        ("price_not_a_number", "sale_price = half"),
    ]
