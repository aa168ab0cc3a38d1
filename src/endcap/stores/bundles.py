"""Where bundles lie and which one is in force: a folder, or a bucket with copies in a folder.

A bundle's manifest is written last, and `current` after it, so a bundle in force is always whole. In a bucket `current`
is replaced only if it is what it was when it was looked at.
"""

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Protocol

from endcap.core.errors import BundleError, Code, LedgerError
from endcap.core.manifest import BundleManifest, parse_manifest, read_manifest
from endcap.stores.bucket import Bucket
from endcap.stores.local_files import check_room, disk_full, is_disk_full, locked, write_atomically

__all__ = ["BucketOfBundles", "BundlePlace", "FolderOfBundles"]

_CURRENT, _MANIFEST = "current", "manifest.json"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_AT_ONCE = 8
_COPIES = 4
"""Copies of bundles that stay in the folder: a process may still be opening the one before."""


class BundlePlace(Protocol):
    """Where bundles are put and taken from. Each is assembled in, and served from, one folder of this machine."""

    def pull(self) -> str:
        """Bring the bundle in force to the folder and name it in its `current`; return its id, "" if there is none."""
        ...

    def confirm(self) -> None:
        """Pull, and have no bundle in force where the one there is not whole, so that it is made again."""
        ...

    def look(self) -> None:
        """Note what is in force now: `put_in_force` replaces this and nothing else."""
        ...

    def publish(self, bundle_id: str) -> None:
        """Put a whole bundle of the folder there."""
        ...

    def put_in_force(self, bundle_id: str) -> None:
        """Name a bundle that is there as the one in force.

        Raises:
            LedgerError: Another deployer has put one in force since `look` (BUNDLE_RACE).
        """
        ...

    def bring(self, bundle_id: str) -> None:
        """Bring a bundle to the folder if it is there and not here."""
        ...

    def manifests(self) -> list[BundleManifest]:
        """Return the manifests of all bundles that are there.

        Raises:
            BundleError: One of them cannot be read (BUNDLE_DAMAGED).
        """
        ...

    def tidy(self, *, keep: int, dead_before_us: int) -> None:
        """Remove all there but the latest bundles and the one in force, as far as it was not touched since."""
        ...


class FolderOfBundles:
    """Bundles in a folder: what is assembled there is there.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def pull(self) -> str:
        """Return the id of the bundle in force."""
        path = self._folder / _CURRENT
        return path.read_text(encoding="ascii").strip() if path.exists() else ""

    def confirm(self) -> None:
        """Nothing: whether the bundle in force is whole is looked at in the folder."""

    def look(self) -> None:
        """Nothing: the deployers of one folder share its ledger, whose lease keeps them apart."""

    def publish(self, bundle_id: str) -> None:
        """Nothing: it is there."""

    def put_in_force(self, bundle_id: str) -> None:
        """Name a bundle as the one in force."""
        write_atomically(self._folder / _CURRENT, bundle_id.encode() + b"\n")

    def bring(self, bundle_id: str) -> None:
        """Nothing: what is there is here."""

    def manifests(self) -> list[BundleManifest]:
        """Return the manifests of all bundles of the folder; see the port."""
        return [read_manifest(path.parent) for path in sorted(self._folder.glob(f"*/{_MANIFEST}"))]

    def tidy(self, *, keep: int, dead_before_us: int) -> None:
        """Nothing: the folder is tidied as every other of the shop."""


class BucketOfBundles:
    """Bundles in a bucket, with copies in a folder that all processes of this machine share.

    Args:
        bucket: The bucket, at the prefix of the bundles.
        folder: The folder of the copies; its `current` follows that of the bucket.
    """

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self._bucket = bucket
        self._folder = folder
        self._etag: str | None = None
        self._known = ""  # what was found whole here

    def pull(self) -> str:
        """Bring the bundle in force here; see the port. One small request where nothing has changed.

        Raises:
            StoreError: The bucket cannot be read (STORAGE_...), or the disk has no room (DISK_FULL).
            BundleError: What `current` names is not whole there (BUNDLE_MISSING, BUNDLE_DAMAGED); the copies, and which
                one is in force here, stay as they were.
        """
        bundle_id = self._in_force()
        if not bundle_id:
            return ""
        if bundle_id != self._known and not self._is_here(bundle_id):
            with locked(self._folder / ".lock"):  # of several processes one fetches, and the others find it
                if not self._is_here(bundle_id):
                    self._fetch(bundle_id)
                    self._forget_copies(bundle_id)
        self._known = bundle_id
        if FolderOfBundles(self._folder).pull() != bundle_id:
            write_atomically(self._folder / _CURRENT, bundle_id.encode() + b"\n")
        return bundle_id

    def confirm(self) -> None:
        """Pull; where the bundle in force is not whole there, none is in force here; see the port."""
        try:
            bundle_id = self.pull()
            is_whole = bool(bundle_id) and self._is_whole_there(bundle_id)
        except BundleError:
            is_whole = False
        if not is_whole:
            (self._folder / _CURRENT).unlink(missing_ok=True)

    def look(self) -> None:
        """Note what is in force there now."""
        with suppress(BundleError):  # no id of a bundle: it is replaced like any other
            self._in_force()

    def publish(self, bundle_id: str) -> None:
        """Put the files of a bundle there, and then its manifest; see the port.

        Also those that are there already: one that was damaged there may have the right size.
        """
        place = self._folder / bundle_id
        _all(read_manifest(place).files, lambda name: self._bucket.put(f"{bundle_id}/{name}", place / name))
        self._bucket.put(f"{bundle_id}/{_MANIFEST}", place / _MANIFEST)

    def put_in_force(self, bundle_id: str) -> None:
        """Name a bundle as the one in force, there and here; see the port."""
        if not self._bucket.put_if(_CURRENT, bundle_id.encode() + b"\n", self._etag):
            seen = self._etag
            other = self._in_force()
            if other != bundle_id:  # else our own put was answered too late, and has been repeated
                self._etag = seen
                raise LedgerError(
                    f"another deployer put the bundle {other or '(none)'} in force while {bundle_id} was being made",
                    where=f"{self._bucket.url}/{_CURRENT}",
                    fix="look which of the two it shall be; `endcap refresh SHOP` puts this shop's in force",
                    code=Code.BUNDLE_RACE,
                )
        write_atomically(self._folder / _CURRENT, bundle_id.encode() + b"\n")

    def bring(self, bundle_id: str) -> None:
        """Bring a bundle here; see the port. An id that is none, or of no bundle there, brings nothing."""
        if not _ID.fullmatch(bundle_id) or self._is_here(bundle_id) or _MANIFEST not in self._sizes(bundle_id):
            return
        with locked(self._folder / ".lock"):
            self._fetch(bundle_id)

    def manifests(self) -> list[BundleManifest]:
        """Return the manifests of all bundles there, and of those that are here alone, held back; see the port."""
        there = [each.key for each in self._bucket.list() if each.key.endswith(f"/{_MANIFEST}")]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            found = zip(there, pool.map(self._bucket.read, there), strict=True)
            read = [parse_manifest(each[0], where=f"{self._bucket.url}/{key}") for key, each in found if each]
        known = {each.bundle_id for each in read}
        here = FolderOfBundles(self._folder).manifests()
        return [*read, *(each for each in here if each.bundle_id not in known)]

    def tidy(self, *, keep: int, dead_before_us: int) -> None:
        """Remove old bundles there, each manifest first, so that what is left of one is no bundle; see the port."""
        found = {name: list(each) for name, each in groupby(self._bucket.list(), lambda each: each.key.split("/")[0])}
        found.pop(_CURRENT, None)
        manifests = [each for name in found if (each := self._manifest(name)) is not None]
        manifests.sort(key=lambda each: (each.created_at_us, each.bundle_id), reverse=True)
        try:
            kept = {each.bundle_id for each in manifests[:keep]} | {self._in_force()}
        except BundleError:  # `current` names none: nobody knows what is served, so all stays
            return
        for name, objects in found.items():
            if name not in kept and max(each.modified_us for each in objects) < dead_before_us:
                self._bucket.remove([f"{name}/{_MANIFEST}"])
                self._bucket.remove(each.key for each in objects)

    def _in_force(self) -> str:
        """Return the id that `current` names there, "" if there is none, and note its etag."""
        found = self._bucket.read(_CURRENT)
        self._etag = None if found is None else found[1]
        if found is None:
            return ""
        bundle_id = found[0].decode("utf-8", "replace").strip()
        if not _ID.fullmatch(bundle_id):
            raise BundleError(
                f"'{bundle_id[:80]}' is no id of a bundle",
                where=f"{self._bucket.url}/{_CURRENT}",
                fix="write the name of a folder beside it into the object, or run `endcap refresh SHOP`",
                code=Code.BUNDLE_DAMAGED,
            )
        return bundle_id

    def _is_here(self, bundle_id: str) -> bool:
        place = self._folder / bundle_id
        try:
            return all((place / name).is_file() for name in read_manifest(place).files)
        except BundleError:
            return False

    def _sizes(self, bundle_id: str) -> dict[str, int]:
        return {each.key.removeprefix(f"{bundle_id}/"): each.size for each in self._bucket.list(bundle_id)}

    def _is_whole_there(self, bundle_id: str) -> bool:
        return {*read_manifest(self._folder / bundle_id).files, _MANIFEST} <= self._sizes(bundle_id).keys()

    def _fetch(self, bundle_id: str) -> None:
        """Copy a bundle here, whole and as its manifest says."""
        sizes, beside = self._sizes(bundle_id), self._folder / f".coming-{bundle_id}"
        if _MANIFEST not in sizes:
            raise _broken(f"{self._bucket.url}/{bundle_id}", "the bundle in force is not there", Code.BUNDLE_MISSING)
        shutil.rmtree(beside, ignore_errors=True)
        check_room(self._folder, sum(sizes.values()), what="the copy of a bundle would take")
        try:
            self._bring(bundle_id, _MANIFEST, beside)
            manifest = read_manifest(beside)
            _all(manifest.files, lambda name: self._bring(bundle_id, name, beside))
            for name, digest in manifest.files.items():
                _check(beside / name, digest, where=f"{self._bucket.url}/{bundle_id}/{name}")
            shutil.rmtree(self._folder / bundle_id, ignore_errors=True)
            beside.rename(self._folder / bundle_id)
        except OSError as error:
            if is_disk_full(error):
                raise disk_full(error, where=str(self._folder)) from error
            raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _bring(self, bundle_id: str, name: str, beside: Path) -> None:
        path = beside / name
        if ".." in Path(name).parts or Path(name).is_absolute():
            raise _broken(f"{self._bucket.url}/{bundle_id}/{_MANIFEST}", "it names a file outside of the bundle")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._bucket.fetch(f"{bundle_id}/{name}", path)

    def _forget_copies(self, bundle_id: str) -> None:
        """Remove the oldest copies here but the one in force; what a server has opened stays until it lets go of it."""
        in_force = {bundle_id, FolderOfBundles(self._folder).pull()}
        copies = [path for path in self._folder.iterdir() if path.is_dir() and path.name not in in_force]
        for path in sorted(copies, key=lambda path: path.stat().st_mtime_ns)[:-_COPIES]:
            shutil.rmtree(path, ignore_errors=True)

    def _manifest(self, bundle_id: str) -> BundleManifest | None:
        """Return the manifest of a bundle there, from its copy where there is one; None for what is no bundle."""
        with suppress(BundleError):
            return read_manifest(self._folder / bundle_id)
        found = self._bucket.read(f"{bundle_id}/{_MANIFEST}")
        if found is None:
            return None
        try:
            return parse_manifest(found[0], where=f"{self._bucket.url}/{bundle_id}/{_MANIFEST}")
        except BundleError:  # of another version: it cannot be gone back to
            return None


def _all(names: Iterable[str], do: Callable[[str], None]) -> None:
    """Do something for several objects at once; the first error is raised when those under way have ended."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(do, names))


def _check(path: Path, digest: str, *, where: str) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != digest:
        raise _broken(where, f"a file of the bundle has digest {found[:12]}, not {digest[:12]}")


def _broken(where: str, what: str, code: Code = Code.BUNDLE_DAMAGED) -> BundleError:
    return BundleError(what, where=where, fix="run `endcap refresh --again bundle`", code=code)
