"""`endcap init`."""

from pathlib import Path

from endcap.flows.init import init_shop

__all__ = ["init"]


def init(shop: Path, *, source: Path) -> None:
    """Make a shop from an export: look at its files, write a commented endcap.toml, and say what was found.

    Args:
        shop: Folder to make; it must not hold a shop yet.
        source: Folder with the export: a GA4 BigQuery export, or flat files.
    """
    made = init_shop(shop, source=source)
    print(f"found in {source}:")
    for line in made.found:
        print(f"  {line}")
    if made.ignored:
        print("will be ignored:")
        for line in made.ignored:
            print(f"  {line}")
    print(f"wrote {made.config} and the shop's key (mode 600; keep a copy: without it history cannot be joined)")
    print(f"next: look at {made.config}, then `endcap refresh {shop}`")
