import pytest

from endcap.core.errors import Code, SourceError
from endcap.events.catalogue_config import WooCommerceCatalogue
from endcap.events.feed import Unread
from endcap.events.sources.woocommerce import woocommerce_products

EXPORT = """ID,Type,SKU,Name,Published,"Visibility in catalog","Date sale price starts","Date sale price ends",\
"In stock?","Sale price","Regular price",Categories,Images,Parent,Brands
10,simple,MUG,Mug,1,visible,2026-03-01,2026-03-08,1,8,9.50,"Home > Kitchen, Gifts","a.jpg, b.jpg",,Acme
11,variable,TEE,Tee,1,visible,,,1,,,"Salt\\, pepper > Tees",tee.jpg,,
12,variation,TEE-S,Tee - S,1,visible,,,0,,15,,,TEE,
13,variation,TEE-M,Tee - M,1,visible,,,1,17,19,,m.jpg,id:11,
14,"simple, virtual",CARD,Card,0,visible,,,1,,10,,,,
15,simple,SECRET,Secret,1,hidden,,,1,,10,,,,
16,simple,CUP,Cup,1,visible,,,backorder,,4,,,,
17,simple
"""


def _read(tmp_path, text=EXPORT, **settings):
    path = tmp_path / "products.csv"
    path.write_text(text, encoding="utf-8")
    return dict(woocommerce_products(path, WooCommerceCatalogue(**settings)))


def test_a_product_has_its_price_sale_stock_and_first_category(tmp_path):
    assert _read(tmp_path)[0] == {
        "id": "10",
        "title": "Mug",
        "product_type": "Home > Kitchen",
        "brand": "Acme",
        "price": "9.50",
        "sale_price": "8",
        "sale_price_effective_date": "2026-03-01/2026-03-09",
        "availability": "in_stock",
        "image_link": "a.jpg",
    }


def test_a_product_with_variations_costs_the_cheapest_that_is_there(tmp_path):
    """Variations name their product by its SKU or by its id; the cheaper one has sold out."""
    tee = _read(tmp_path)[1]
    assert (tee["id"], tee["title"], tee["product_type"]) == ("11", "Tee", "Salt, pepper > Tees")
    assert (tee["price"], tee["sale_price"], tee["availability"]) == ("19", "17", "in_stock")
    assert "sale_price_effective_date" not in tee


def test_variations_are_items_where_events_name_skus(tmp_path):
    found = _read(tmp_path, item_id="sku")
    assert {place: (each["id"], each["title"], each["availability"]) for place, each in found.items() if place < 4} == {
        0: ("MUG", "Mug", "in_stock"),
        2: ("TEE-S", "Tee - S", "out_of_stock"),
        3: ("TEE-M", "Tee - M", "in_stock"),
    }
    assert found[3]["product_type"] == "Salt, pepper > Tees"


def test_what_is_private_or_hidden_is_left_out_and_what_is_ordered_back_told(tmp_path):
    found = _read(tmp_path)
    assert {4, 5} & set(found) == set()
    assert found[6]["availability"] == "backorder"
    assert found[7] == Unread("17,simple", "number of fields differs from the header")


@pytest.mark.parametrize(
    ("starts", "ends", "period"),
    [
        ("", "2026-03-08", "1970-01-01/2026-03-09"),
        ("2026-03-01", "", "2026-03-01/9999-12-31"),
        ("", "soon", "/soon"),
        ("2026-03-01", "9999-12-31", "2026-03-01/9999-12-31"),
    ],
)
def test_a_sale_may_be_open_at_either_end(tmp_path, starts, ends, period):
    header, line = EXPORT.splitlines()[0:2]
    line = line.replace("2026-03-01", starts).replace("2026-03-08", ends)
    assert _read(tmp_path, f"{header}\n{line}\n")[0]["sale_price_effective_date"] == period


def test_a_file_that_is_no_export_of_woocommerce_is_refused(tmp_path):
    with pytest.raises(SourceError, match="no column 'Regular price'") as caught:
        _read(tmp_path, "ID,Type,SKU,Name\n1,simple,A,B\n")
    assert caught.value.code == Code.SOURCE_COLUMN


def test_ids_and_skus_that_are_numbers_are_not_mixed_up_and_who_has_no_product_is_told(tmp_path):
    """The coat's SKU is the mug's id; one variation is of a product that is not in the file, one is not published."""
    header = "ID,Type,SKU,Name,Published,In stock?,Regular price,Parent\n"
    lines = (
        "12,simple,MUG,Mug,1,1,5.00,\n5,variable,12,Coat,1,1,,\n6,variation,12-S,Coat S,1,0,99.00,12\n"
        "7,variation,12-M,Coat M,1,1,89.00,id:5\n8,variation,X,Lost,1,1,1.00,id:99\n"
        "9,variation,12-L,Coat L,0,1,1.00,12\n"
    )
    found = _read(tmp_path, header + lines)
    assert {each["id"]: each["price"] for each in found.values() if not isinstance(each, Unread)} == {
        "12": "5.00",
        "5": "89.00",
    }
    assert [each.why for each in found.values() if isinstance(each, Unread)] == ["its product is not in the file"]
