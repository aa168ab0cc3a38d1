import pytest

from endcap.core.errors import Code, SourceError
from endcap.events.catalogue_config import ShopifyCatalogue
from endcap.events.feed import Unread
from endcap.events.sources.shopify import shopify_products

OLD = """Handle,Title,Body (HTML),Vendor,Product Category,Type,Tags,Published,Option1 Name,Option1 Value,Variant SKU,\
Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,Variant Price,Image Src,Status
tee,Tee,"<p>Soft,
warm</p>",Acme,Apparel > Shirts,Shirt,"new, sale",true,Size,S,tee-s,shopify,0,deny,19.00,tee.jpg,active
tee,,,,,,,,,M,tee-m,shopify,3,deny,17.00,,
tee,,,,,,,,,,,,,,,back.jpg,
mug,Mug,,Acme,,Kitchen,,true,Title,Default Title,mug-1,shopify,0,deny,9.50,,active
cap,Cap,,,,,,true,Title,Default Title,cap-1,shopify,0,continue,12.00,,active
jar,Jar,,,,,,false,Title,Default Title,jar-1,,,deny,5.00,,active
pot,Pot,,,,,,true,Title,Default Title,pot-1,,,deny,5.00,,draft
short,row
"""
NEW = """Title,URL handle,Description,Vendor,Product category,Type,Tags,Published on online store,Status,SKU,\
Option1 name,Option1 value,Price,Compare-at price,Inventory tracker,Inventory quantity,\
Continue selling when out of stock,\
Product image URL
Tee,tee,Soft,Acme,Apparel > Shirts,Shirt,,TRUE,Active,tee-s,Size,S,19.00,25.00,shopify,0,DENY,tee.jpg
,tee,,,,,,,,tee-m,,M,17.00,,shopify,3,DENY,
Mug,mug,,Acme,,Kitchen,,TRUE,Active,mug-1,,,9.50,,shopify,0,DENY,
Cap,cap,,,,,,TRUE,Active,cap-1,,,12.00,,shopify,0,CONTINUE,
"""
TEE = {
    "id": "tee",
    "title": "Tee",
    "product_type": "Apparel > Shirts",
    "brand": "Acme",
    "link": "/products/tee",
    "image_link": "tee.jpg",
    "price": "17.00",
    "availability": "in_stock",
}


def _read(tmp_path, text, **settings):
    path = tmp_path / "products_export.csv"
    path.write_text(text, encoding="utf-8")
    return list(shopify_products(path, ShopifyCatalogue(**settings)))


@pytest.mark.parametrize("text", [OLD, NEW], ids=["before 2025", "since"])
def test_a_product_costs_its_cheapest_variant_and_is_there_if_one_is(tmp_path, text):
    found = {each["id"]: each for _, each in _read(tmp_path, text) if not isinstance(each, Unread)}
    assert found["tee"] == TEE
    assert (found["mug"]["price"], found["mug"]["availability"], found["mug"]["product_type"]) == (
        "9.50",
        "out_of_stock",
        "Kitchen",
    )
    assert found["cap"]["availability"] == "in_stock"  # sold on without stock
    assert sorted(found) == ["cap", "mug", "tee"]  # neither drafts nor what is not published


def test_variants_are_items_where_events_name_skus(tmp_path):
    found = {each["id"]: (place, each) for place, each in _read(tmp_path, NEW, item_id="sku")}
    assert {
        sku: (place, each["title"], each["price"], each["availability"]) for sku, (place, each) in found.items()
    } == {
        "tee-s": (0, "Tee, S", "19.00", "out_of_stock"),
        "tee-m": (1, "Tee, M", "17.00", "in_stock"),
        "mug-1": (2, "Mug", "9.50", "out_of_stock"),
        "cap-1": (3, "Cap", "12.00", "in_stock"),
    }


def test_a_row_of_another_length_is_kept_with_its_place(tmp_path):
    assert (7, Unread("short,row", "number of fields differs from the header")) in _read(tmp_path, OLD)


def test_a_file_that_is_no_export_of_shopify_is_refused(tmp_path):
    with pytest.raises(SourceError, match="no column 'Price'") as caught:
        _read(tmp_path, "Handle,Title\ntee,Tee\n")
    assert caught.value.code == Code.SOURCE_COLUMN


def test_where_no_quantity_is_told_nothing_says_that_there_is_none(tmp_path):
    """Shops of several locations export none."""
    header = "Handle,Title,Variant Price,Variant Inventory Tracker,Variant Inventory Policy\n"
    [(_, mug)] = _read(tmp_path, header + "mug,Mug,9.50,shopify,deny\n")
    assert mug["availability"] == "in_stock"


def test_a_description_may_be_very_long(tmp_path):
    text = "Handle,Title,Body (HTML),Variant Price\nmug,Mug," + "x" * 300_000 + ",9.50\n"
    assert [each["id"] for _, each in _read(tmp_path, text)] == ["mug"]
