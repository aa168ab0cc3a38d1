import pytest

from endcap.core.errors import Code, SourceError
from endcap.events.catalogue_config import MerchantCatalogue
from endcap.events.feed import Unread
from endcap.events.sources.merchant import merchant_products


def _read(tmp_path, text, **settings):
    path = tmp_path / "feed.tsv"
    path.write_text(text, encoding="utf-8")
    return list(merchant_products(path, MerchantCatalogue(file="feed.tsv", **settings)))


def test_a_line_is_a_product_at_its_place_and_blank_lines_count(tmp_path):
    read = _read(tmp_path, 'id\ttitle\nmug\t"A ""fine"" mug"\n\npen\t Pen \n')
    assert read == [(0, {"id": "mug", "title": 'A "fine" mug'}), (2, {"id": "pen", "title": "Pen"})]


def test_a_line_with_another_number_of_fields_is_kept_as_it_is(tmp_path):
    why = "number of fields differs from the header"
    assert _read(tmp_path, "id\ttitle\nmug\na\tb\tc\n") == [(0, Unread("mug", why)), (1, Unread("a\tb\tc", why))]


def test_columns_may_have_other_names(tmp_path):
    read = _read(tmp_path, "sku\tname\nmug\tMug\n", columns={"id": "sku", "title": "name"})
    assert read == [(0, {"id": "mug", "title": "Mug"})]


def test_a_missing_column_or_file_is_named(tmp_path):
    with pytest.raises(SourceError, match="'title'") as caught:
        _read(tmp_path, "id\ttitel\nmug\tMug\n")
    assert caught.value.code == Code.SOURCE_COLUMN
    with pytest.raises(SourceError) as caught:
        list(merchant_products(tmp_path / "no.tsv", MerchantCatalogue()))
    assert caught.value.code == Code.SOURCE_MISSING


def test_a_quote_that_is_left_open_takes_in_no_other_line(tmp_path):
    read = _read(tmp_path, 'id\ttitle\na\t"Best" shirt"\nb\t"Open shirt\nc\t"A ""fine"" mug"\n')
    assert [product["title"] for _, product in read] == ['"Best" shirt"', '"Open shirt', 'A "fine" mug']


def test_an_update_needs_an_id_and_something_that_it_says_and_one_named_csv_has_commas(tmp_path):
    def read(name, text):
        (tmp_path / name).write_text(text)
        settings = MerchantCatalogue(columns={"id": "sku", "title": "name"})
        return list(merchant_products(tmp_path / name, settings, is_update=True))

    assert read("stock.tsv", "sku\tavailability\nmug\tin_stock\n") == [(0, {"id": "mug", "availability": "in_stock"})]
    assert read("stock.csv", 'id,price\n"mug",5\n') == [(0, {"id": "mug", "price": "5"})]
    for text, missing in (("price\n5\n", "'sku'"), ("id\tname\nmug\tMug\n", "'price'")):
        with pytest.raises(SourceError, match=missing) as caught:
            read("stock.tsv", text)
        assert caught.value.code == Code.SOURCE_COLUMN
