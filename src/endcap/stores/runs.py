"""Where the manifests of runs lie: in a folder of this machine and, where several share a lake, beside that lake."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

from endcap.stores.bucket import Bucket
from endcap.stores.local_files import write_atomically

__all__ = ["BELOW_LAKE", "BucketOfRuns", "FolderOfRuns", "RunPlace"]

BELOW_LAKE = "_runs"
"""The folder of manifests in a lake that does not lie in the shop's own folder. No table has such a name."""

_AT_ONCE = 8
_ENDING = ".json"


class RunPlace(Protocol):
    """A place of manifests, `<run id>.json`."""

    where: str

    def put(self, run_id: str, content: bytes) -> None:
        """Write a manifest, whatever was there."""
        ...

    def names(self) -> list[str]:
        """Return the ids of the runs whose manifests lie there, ascending."""
        ...

    def read(self, run_id: str) -> bytes | None:
        """Return a manifest, None where it is not there."""
        ...

    def read_all(self) -> dict[str, bytes]:
        """Return run id -> manifest, ascending."""
        ...


class FolderOfRuns:
    """Manifests in a folder.

    Args:
        folder: The folder; made when the first manifest is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.where = str(folder)

    def put(self, run_id: str, content: bytes) -> None:
        """Write a manifest."""
        write_atomically(self._folder / f"{run_id}{_ENDING}", content)

    def names(self) -> list[str]:
        """Return the ids of the runs."""
        return sorted(path.stem for path in self._folder.glob(f"*{_ENDING}") if not path.name.startswith("."))

    def read(self, run_id: str) -> bytes | None:
        """Return a manifest."""
        if run_id not in self.names():  # an id as it was typed may name a path
            return None
        return (self._folder / f"{run_id}{_ENDING}").read_bytes()

    def read_all(self) -> dict[str, bytes]:
        """Return all manifests."""
        return {name: (self._folder / f"{name}{_ENDING}").read_bytes() for name in self.names()}


class BucketOfRuns:
    """Manifests in a bucket.

    Args:
        bucket: The bucket, at the prefix of the manifests.
    """

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self.where = bucket.url

    def put(self, run_id: str, content: bytes) -> None:
        """Write a manifest."""
        self._bucket.put(f"{run_id}{_ENDING}", content)

    def names(self) -> list[str]:
        """Return the ids of the runs."""
        return [each.key.removesuffix(_ENDING) for each in self._bucket.list() if each.key.endswith(_ENDING)]

    def read(self, run_id: str) -> bytes | None:
        """Return a manifest."""
        found = self._bucket.read(f"{run_id}{_ENDING}") if run_id in self.names() else None
        return None if found is None else found[0]

    def read_all(self) -> dict[str, bytes]:
        """Return all manifests; one that is removed meanwhile is left out."""
        names = self.names()
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = list(pool.map(lambda name: self._bucket.read(f"{name}{_ENDING}"), names))
        return {name: each[0] for name, each in zip(names, found, strict=True) if each is not None}
