"""`endcap init`."""

from pathlib import Path

from endcap.core.errors import Code, UsageError
from endcap.flows.init import init_shop
from endcap.flows.init_places import Place

__all__ = ["init"]


def init(  # noqa: PLR0913 - each is a flag
    shop: Path,
    *,
    source: str,
    columns: str = "",
    currency: str = "",
    query: str = "",
    watermark: str = "",
    endpoint: str = "",
) -> None:
    """Make a shop from an export: look at its files, write a commented endcap.toml, and say what was found.

    Args:
        shop: Folder to make; it must not hold a shop yet.
        source: Folder with the export, its URL in an object store (s3://bucket/prefix, gs://, az://), or the URL of a
            database without a password.
        columns: What columns of a flat file hold, where it is not guessed: time=when,item_id=sku,user_id=visitor.
        currency: ISO 4217 code of prices whose currency no file names.
        query: Table or SELECT, where the source is a database.
        watermark: Column of a database's rows that grows with every row: an integer or a timestamp.
        endpoint: URL of an S3-compatible server.
    """
    place = Place(source, query, watermark, endpoint)
    made = init_shop(shop, source=place, columns=_pairs(columns), currency=currency)
    print(f"found in {source}:")
    for line in made.found:
        print(f"  {line}")
    if made.ignored:
        print("will be ignored:")
        for line in made.ignored:
            print(f"  {line}")
    print(f"wrote {made.config} and the shop's keys (mode 600; keep copies: without them history cannot be joined)")
    print(f"next: look at {made.config}, then `endcap refresh {shop}`")


def _pairs(text: str) -> dict[str, str]:
    words = [word.partition("=") for word in text.split(",") if word.strip()]
    if not all(setting.strip() and column.strip() for setting, _, column in words):
        raise UsageError(
            f"'{text}' names no columns", where="--columns", fix="write it as time=when,item_id=sku", code=Code.USAGE
        )
    return {setting.strip(): column.strip() for setting, _, column in words}
