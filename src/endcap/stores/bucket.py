"""What the house asks of an object store that it writes to: whole objects, and puts under a condition."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from endcap.core.errors import Code, StoreError
from endcap.stores.objects import StoredObject

__all__ = ["Bucket", "check_bucket"]


class Bucket(Protocol):
    """Objects below one prefix that may be read, written and removed.

    Every method raises StoreError where the store cannot be reached or refuses (STORAGE_...).
    """

    url: str

    def list(self, below: str = "") -> list[StoredObject]:
        """Return all objects whose key begins with the folder `below`, ascending by key; keys from the prefix on."""
        ...

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Return a small object and its etag, None where there is none."""
        ...

    def fetch(self, key: str, path: Path) -> None:
        """Write an object to a file, in pieces; what is there of it when this fails is the caller's to remove."""
        ...

    def put(self, key: str, content: bytes | Path) -> None:
        """Write an object, the bytes or those of a file, whatever was there; readers see the old or the new one."""
        ...

    def put_if(self, key: str, content: bytes, etag: str | None) -> bool:
        """Write a small object only if the one there has this etag, or if there is none (None).

        Returns:
            Whether it was written.
        """
        ...

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects; one that is not there is no error."""
        ...


def check_bucket(bucket: Bucket, probe: str) -> None:
    """Try all that a run will ask of a bucket, on one object that is removed again: some ten requests.

    Args:
        bucket: The bucket.
        probe: A key that nobody else uses.

    Raises:
        StoreError: It cannot be reached, or denies something (STORAGE_...), or takes a put whose condition does not
            hold: then two writers could both win (STORAGE_UNSUITABLE).
    """
    if not _is_put(bucket, probe, b"1", None):
        raise _unsuitable(bucket.url, "it says that a new object is there already")
    try:
        if bucket.put_if(probe, b"2", None):
            raise _unsuitable(bucket.url, "it ignores If-None-Match: it wrote over an object that had to be new")
        found = bucket.read(probe)
        if found is None or found[0] != b"1":
            raise _unsuitable(bucket.url, "an object that was just written is not read back")
        if not _is_put(bucket, probe, b"3", found[1]) or bucket.put_if(probe, b"4", found[1]):
            raise _unsuitable(bucket.url, "it ignores If-Match: it wrote over an object that had changed")
        bucket.list(f"{probe.rpartition('/')[0]}")
    finally:
        bucket.remove([probe])
    if bucket.read(probe) is not None:
        raise _unsuitable(bucket.url, "an object that was just removed is still read")


def _is_put(bucket: Bucket, key: str, content: bytes, etag: str | None) -> bool:
    """Put an object that nobody else puts: one that is there was put by us, and the client asked again unanswered."""
    if bucket.put_if(key, content, etag):
        return True
    found = bucket.read(key)
    return found is not None and found[0] == content


def _unsuitable(url: str, why: str) -> StoreError:
    return StoreError(
        f"this object store cannot keep a shop: {why}",
        where=url,
        fix="take a store with conditional puts (Amazon S3, R2, a recent MinIO or Ceph), or a folder",
        code=Code.STORAGE_UNSUITABLE,
    )
