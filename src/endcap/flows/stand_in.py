"""A stand-in for a shop: serves its bundle in force, and what it is told and logs never reaches the shop."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from endcap.core.errors import BundleError, Code
from endcap.flows.shop import Shop

__all__ = ["stand_in"]


@contextmanager
def stand_in(shop: Shop) -> Iterator[Path]:
    """Give the folder of a shop of the same settings, key and bundle, without visitors, for the length of the block.

    Args:
        shop: Stays as it is; a bundle that is put in force meanwhile is not taken up.

    Raises:
        BundleError: There is no bundle in force.
    """
    bundle = shop.bundle_in_force()
    if not bundle:
        raise BundleError(
            "there is no bundle to serve yet",
            where=str(shop.bundles),
            fix=f"run `endcap refresh {shop.root}`",
            code=Code.BUNDLE_MISSING,
        )
    with TemporaryDirectory(prefix="endcap-stand-in-") as folder:
        root = Path(folder)
        shutil.copy2(shop.root / "endcap.toml", root)
        if (shop.root / "keys").is_dir():
            shutil.copytree(shop.root / "keys", root / "keys")
        (root / "bundles").mkdir()
        (root / "bundles" / bundle).symlink_to(shop.bundles / bundle)
        (root / "bundles" / "current").write_text(bundle + "\n", encoding="ascii")
        with closing(sqlite3.connect(shop.database)) as source, closing(sqlite3.connect(root / "endcap.db")) as copy:
            source.backup(copy)
        yield root
