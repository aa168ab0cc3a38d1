"""Adapters of the places where tables and bundles lie: a folder, or a bucket with copies below SHOP/cache."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from endcap.core.errors import BundleError, Code, StoreError
from endcap.flows.shop import Shop
from endcap.stores.bucket import Bucket, check_bucket
from endcap.stores.bundles import BucketOfBundles, BundlePlace, FolderOfBundles
from endcap.stores.cache import LocalCache
from endcap.stores.config import is_object_store
from endcap.stores.runs import BELOW_LAKE, BucketOfRuns, FolderOfRuns, RunPlace
from endcap.stores.tables import TableStore

__all__ = [
    "check_stores",
    "open_bundles",
    "open_far_bundles",
    "open_shared_runs",
    "open_tables",
    "pull_bundle",
]

_log = structlog.get_logger()

_GB = 10**9


@contextmanager
def open_tables(shop: Shop) -> Iterator[TableStore]:
    """Open a shop's tables for the length of the block; what they are read from stays on this disk until then."""
    # Loaded here: listing a flow's state needs neither the table store nor its quarter second of imports.
    from endcap.stores.adapters.delta import DeltaTables  # noqa: PLC0415

    settings = shop.config.stores
    if not is_object_store(settings.lake):
        yield DeltaTables(shop.lake)
        return
    from endcap.stores.adapters.bucket import delta_options  # noqa: PLC0415 - only shops that need it load it
    from endcap.stores.adapters.cached import CachedTables  # noqa: PLC0415 - likewise

    tables = DeltaTables(shop.lake, delta_options(settings.endpoint, settings.region))
    cache = LocalCache(
        shop.cache / "lake", limit_bytes=int(settings.cache_gb * _GB), fetch=_bucket(shop, shop.lake).fetch
    )
    cached = CachedTables(tables, shop.lake, cache)
    try:
        yield cached
    finally:
        cached.close()


def open_bundles(shop: Shop) -> BundlePlace:
    """Open the place of a shop's bundles."""
    place = shop.config.stores.bundles
    if not is_object_store(place):
        return FolderOfBundles(shop.bundles)
    return BucketOfBundles(_bucket(shop, place), shop.bundles)


def open_shared_runs(shop: Shop) -> RunPlace | None:
    """Open the place beside a lake that other machines may share; None for a lake in the shop's own folder."""
    place = shop.config.stores.lake
    if is_object_store(place):
        return BucketOfRuns(_bucket(shop, f"{place}/{BELOW_LAKE}"))
    return FolderOfRuns(Path(shop.lake) / BELOW_LAKE) if place else None


def open_far_bundles(shop: Shop) -> BundlePlace | None:
    """Open the place that a server has to look at besides its folder; None where the folder is all."""
    return open_bundles(shop) if is_object_store(shop.config.stores.bundles) else None


def pull_bundle(shop: Shop) -> None:
    """Bring the bundle in force to this machine; where its bucket is away, the copy that is here stays in force.

    Raises:
        StoreError: The bucket is away and there is no copy (STORAGE_...), or the disk has no room (DISK_FULL).
        BundleError: The bundle in force is not whole there, and there is no copy of another.
    """
    try:
        open_bundles(shop).pull()
    except (StoreError, BundleError) as error:
        if error.code == Code.DISK_FULL or not shop.bundle_in_force():
            raise
        _log.warning("bundles.away", error=error.what, where=error.where, in_force_here=shop.bundle_in_force())


def check_stores(shop: Shop, probe: str) -> None:
    """Try all that a run will ask of the shop's buckets, before it does anything.

    Args:
        shop: The shop.
        probe: Names the object that is put there and removed again.

    Raises:
        StoreError: A bucket cannot be reached or denies something (STORAGE_...).
    """
    settings = shop.config.stores
    for place in sorted({each for each in (settings.lake, settings.bundles) if is_object_store(each)}):
        check_bucket(_bucket(shop, place), f"_check/{probe}")


def _bucket(shop: Shop, url: str) -> Bucket:
    """Open a bucket. Credentials come from the environment."""
    from endcap.stores.adapters.bucket import S3Bucket  # noqa: PLC0415 - only shops that need it load it

    return S3Bucket(url, endpoint=shop.config.stores.endpoint, region=shop.config.stores.region)
