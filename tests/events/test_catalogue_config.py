import pytest
from pydantic import TypeAdapter, ValidationError

from endcap.events.catalogue_config import (
    Catalogue,
    JsonLdCatalogue,
    MerchantCatalogue,
    ShopifyCatalogue,
    WooCommerceCatalogue,
)
from endcap.events.config import EventsConfig


def test_a_shop_that_says_nothing_has_no_catalogue():
    assert EventsConfig(source="drop").catalogue.kind == "none"


@pytest.mark.parametrize("settings", [MerchantCatalogue, ShopifyCatalogue, WooCommerceCatalogue, JsonLdCatalogue])
def test_each_kind_of_catalogue_is_found_by_its_name(settings):
    kind = settings().kind
    assert EventsConfig(source="drop", catalogue={"kind": kind}).catalogue == settings()
    assert TypeAdapter(Catalogue).validate_python({"kind": kind}) == settings()


@pytest.mark.parametrize(
    ("catalogue", "word"),
    [
        ({"kind": "magento"}, "magento"),
        ({"kind": "shopify", "item_id": "title"}, "item_id"),
        ({"kind": "merchant", "path": "catalog.tsv"}, "path"),
    ],
)
def test_a_catalogue_of_an_unknown_kind_id_or_key_is_refused(catalogue, word):
    with pytest.raises(ValidationError, match=word):
        EventsConfig(source="drop", catalogue=catalogue)


def test_a_catalogue_may_have_feeds_or_updates_by_day_alone_and_must_have_something():
    assert MerchantCatalogue(file="", feeds="feeds/*.tsv").updates == ""
    assert ShopifyCatalogue(file="", updates="stock/*.csv").feeds == ""
    with pytest.raises(ValidationError, match="a catalogue has a file, feeds or updates"):
        MerchantCatalogue(file="")
