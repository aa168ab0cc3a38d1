import pytest

from endcap.core.errors import Code, SourceError
from endcap.core.tables import QUARANTINE
from endcap.engines.contracts import check_contract
from endcap.events.config import MerchantCatalogue
from endcap.events.sources.merchant import clean_category, read_merchant, read_price

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


def _read(tmp_path, text=FEED, **settings):
    path = tmp_path / "feed.tsv"
    path.write_text(text, encoding="utf-8")
    return read_merchant(path, MerchantCatalogue(file="feed.tsv", **settings), default_currency="USD", day="2026-08-01")


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


def test_columns_may_have_other_names(tmp_path):
    feed = _read(tmp_path, "sku\tname\nmug\tMug\n", columns={"id": "sku", "title": "name"})
    assert [row["title"] for row in feed.items.to_pylist()] == ["Mug"]


def test_a_missing_column_or_file_is_named(tmp_path):
    with pytest.raises(SourceError, match="'title'") as caught:
        _read(tmp_path, "id\ttitel\nmug\tMug\n")
    assert caught.value.code == Code.SOURCE_COLUMN
    with pytest.raises(SourceError) as caught:
        read_merchant(tmp_path / "no.tsv", MerchantCatalogue(), default_currency=None, day="2026-08-01")
    assert caught.value.code == Code.SOURCE_MISSING


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
