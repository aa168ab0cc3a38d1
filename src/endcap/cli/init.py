"""`endcap init`."""

from pathlib import Path

from endcap.core.errors import Code, UsageError
from endcap.flows.init import init_shop

__all__ = ["init"]


def init(shop: Path, *, source: Path, columns: str = "", currency: str = "") -> None:
    """Make a shop from an export: look at its files, write a commented endcap.toml, and say what was found.

    Args:
        shop: Folder to make; it must not hold a shop yet.
        source: Folder with the export: a GA4 BigQuery export, or flat files.
        columns: What columns of a flat file hold, where it is not guessed: time=when,item_id=sku,user_id=visitor.
        currency: ISO 4217 code of prices whose currency no file names.
    """
    made = init_shop(shop, source=source, columns=_pairs(columns), currency=currency)
    print(f"found in {source}:")
    for line in made.found:
        print(f"  {line}")
    if made.ignored:
        print("will be ignored:")
        for line in made.ignored:
            print(f"  {line}")
    print(f"wrote {made.config} and the shop's key (mode 600; keep a copy: without it history cannot be joined)")
    print(f"next: look at {made.config}, then `endcap refresh {shop}`")


def _pairs(text: str) -> dict[str, str]:
    words = [word.partition("=") for word in text.split(",") if word.strip()]
    if not all(setting.strip() and column.strip() for setting, _, column in words):
        raise UsageError(
            f"'{text}' names no columns", where="--columns", fix="write it as time=when,item_id=sku", code=Code.USAGE
        )
    return {setting.strip(): column.strip() for setting, _, column in words}
