"""Folders named by the digest of what is in them: fitted models and indexes, `<name>/<version>/`."""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

__all__ = ["bring_folder", "is_whole", "keep_folder", "link_or_copy", "sync_folder"]

_DIGITS = 16


def _digest_of_folder(folder: Path) -> str:
    """Return the digest of all files in a folder and of their names, 16 hex digits."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:_DIGITS]


def is_whole(folder: Path) -> bool:
    """Whether a folder is there and holds what its name says."""
    return folder.is_dir() and _digest_of_folder(folder) == folder.name


def keep_folder(place: Path, beside: Path, save: Callable[[Path], None]) -> str:
    """Have something written beside, and move it to `place/<digest>`; return that digest.

    A folder of that name is whole after this: one that was damaged is replaced.

    Args:
        place: Folder of all versions.
        beside: Where it is written first, on the same file system; removed if it is there.
        save: Writes into an existing empty folder.
    """
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    save(beside)
    version = _digest_of_folder(beside)
    place.mkdir(parents=True, exist_ok=True)
    if is_whole(place / version):
        os.utime(place / version)  # used just now: not to be tidied away
        shutil.rmtree(beside)
        return version
    shutil.rmtree(place / version, ignore_errors=True)
    sync_folder(beside)
    beside.rename(place / version)
    return version


def sync_folder(folder: Path) -> None:
    """Have everything in a folder on disk before it is named."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def bring_folder(places: Iterable[Path], target: Path) -> bool:
    """Have a folder that is named by the digest of its files stand at `target`, from the first place that has it whole.

    Args:
        places: Where it may lie, under whatever name.
        target: Its place; the name is the digest.

    Returns:
        Whether it is there.
    """
    if is_whole(target):
        return True
    for place in places:
        if place.is_dir() and _digest_of_folder(place) == target.name:
            beside = target.with_name(f".{target.name}.{os.getpid()}")
            shutil.rmtree(beside, ignore_errors=True)
            shutil.copytree(place, beside, copy_function=link_or_copy)
            shutil.rmtree(target, ignore_errors=True)
            beside.rename(target)
            return True
    return False


def link_or_copy(source: str, target: str) -> str:
    """Link a file that is never changed, only removed; copy it where the file system has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    return target
