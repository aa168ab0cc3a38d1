"""A stand-in for a shop: serves its bundle in force, and what it is told and logs never reaches the shop."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from endcap.core.errors import BundleError, Code
from endcap.flows.shop import Shop

__all__ = ["stand_in"]


@contextmanager
def stand_in(shop: Shop, bundle: str) -> Iterator[Path]:
    """Give the folder of a shop of the same settings and bundle, without visitors, for the length of the block.

    The key is not in it: whoever serves it hands the shop's over in the environment, so that no copy can stay behind.

    Args:
        shop: Stays as it is.
        bundle: The id of its bundle that is served; "" where there is none.

    Raises:
        BundleError: There is no such bundle.
    """
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
        (root / "bundles").mkdir()
        (root / "bundles" / bundle).symlink_to(shop.bundles / bundle)
        (root / "bundles" / "current").write_text(bundle + "\n", encoding="ascii")
        yield root
