"""Settings of the catalogues: `[events.catalogue]` of endcap.toml, one class for each kind of feed."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = [
    "Catalogue",
    "JsonLdCatalogue",
    "MerchantCatalogue",
    "NoCatalogue",
    "ShopifyCatalogue",
    "WooCommerceCatalogue",
]


class _Catalogue(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Described(_Catalogue):
    file: str
    feeds: str = Field(
        default="",
        description='Full feeds by day: a glob within `source`, "feeds/catalog_*.tsv"; each name tells the UTC day, '
        "YYYYMMDD, from whose start the feed holds. Empty: there are none.",
    )
    updates: str = Field(
        default="",
        description="Prices and stock of some items by day, in Merchant's words: a glob like that of feeds, "
        '"inventory/*.tsv". Empty: there are none.',
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.file or self.feeds or self.updates):
            raise ValueError("a catalogue has a file, feeds or updates")
        return self


class NoCatalogue(_Catalogue):
    """No catalogue: items are what events name."""

    kind: Literal["none"] = "none"


class MerchantCatalogue(_Described):
    """A Google Merchant feed: text with tabs, RSS or Atom, or products of the Content or Merchant API as JSON."""

    kind: Literal["merchant"] = "merchant"
    file: str = Field(
        default="catalog.tsv",
        description="The feed, within `source`: .tsv, .txt, .xml or .json(l). Empty: none but feeds by day.",
    )
    columns: dict[str, str] = Field(
        default_factory=dict, description="Merchant name -> the feed's own column name, where a text feed differs."
    )


class ShopifyCatalogue(_Described):
    """Products as Shopify exports them, CSV; under the headers of before 2025 (Handle) or since (URL handle)."""

    kind: Literal["shopify"] = "shopify"
    file: str = Field(
        default="products_export.csv", description="The export, within `source`. Empty: none but feeds by day."
    )
    item_id: Literal["handle", "sku"] = Field(
        default="handle", description="What events name: the handle of a product, or the SKU of a variant."
    )


class WooCommerceCatalogue(_Described):
    """Products as WooCommerce exports them, CSV with English headers."""

    kind: Literal["woocommerce"] = "woocommerce"
    file: str = Field(default="products.csv", description="The export, within `source`. Empty: none but feeds by day.")
    item_id: Literal["id", "sku"] = Field(
        default="id", description="What events name: the id of a product, or the SKU of a product or variation."
    )


class JsonLdCatalogue(_Described):
    """Products as schema.org JSON-LD: a document, a list of them, one a line, or the scripts of an HTML page."""

    kind: Literal["json_ld"] = "json_ld"
    file: str = Field(default="products.jsonld", description="The file, within `source`. Empty: none but feeds by day.")
    item_id: Literal["sku", "productID", "@id"] = Field(default="sku", description="Property that events name.")


Catalogue = MerchantCatalogue | ShopifyCatalogue | WooCommerceCatalogue | JsonLdCatalogue
"""Where items are described; each kind has its reader in `events/sources`."""
