import pytest

from endcap.stores.adapters.bucket import S3Bucket, delta_options
from endcap.stores.adapters.cached import CachedTables
from endcap.stores.adapters.delta import DeltaTables
from endcap.stores.cache import LocalCache
from endcap.testing.tables import TABLE_STORE_CHECKS


class Forgetful(DeltaTables):
    """A store that knows no fence."""

    def replace(self, table, partitions, rows, *, fence=None):  # noqa: ARG002 - that is its fault
        return super().replace(table, partitions, rows)


@pytest.mark.parametrize("check", TABLE_STORE_CHECKS, ids=lambda check: check.__name__)
def test_delta_in_a_folder_is_a_table_store(check, tmp_path):
    check(lambda: DeltaTables(tmp_path / "lake"))


@pytest.mark.parametrize("check", TABLE_STORE_CHECKS, ids=lambda check: check.__name__)
def test_delta_in_a_bucket_that_is_read_from_copies_is_a_table_store(check, s3, tmp_path):
    endpoint, bucket = s3
    root, opened = f"s3://{bucket}/shop/lake", []

    def open_store():
        cache = LocalCache(tmp_path / "cache", limit_bytes=1, fetch=S3Bucket(root, endpoint=endpoint).fetch)
        opened.append(CachedTables(DeltaTables(root, delta_options(endpoint, "")), root, cache))
        return opened[-1]

    check(open_store)
    for store in opened:
        store.close()


def test_a_store_that_knows_no_fence_does_not_pass(tmp_path):
    (check,) = (each for each in TABLE_STORE_CHECKS if "fence" in each.__name__)
    with pytest.raises(AssertionError, match="an older holder"):
        check(lambda: Forgetful(tmp_path / "lake"))
