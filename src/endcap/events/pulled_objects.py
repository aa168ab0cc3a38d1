"""Objects of an object store, mirrored as files: what is new or changed is fetched, what is gone there goes here.

A journal beside the files says of which state each one is. A file is in its place before its line is in the journal, so
a pull that is killed fetches at most one object twice.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import msgspec

from endcap.core.errors import Code, SourceError
from endcap.core.ids import digest_of
from endcap.stores.objects import Objects, StoredObject

__all__ = ["Mirrored", "digest_of_objects", "held_objects", "latest_objects", "mirror_objects"]


@dataclass(frozen=True)
class Mirrored:
    """What a pull of objects did.

    Args:
        num_fetched: Objects that were fetched.
        num_bytes: Their bytes.
        num_gone: Files that were removed, as their object is gone.
    """

    num_fetched: int
    num_bytes: int
    num_gone: int


def latest_objects(found: Iterable[StoredObject], globs: Iterable[str]) -> list[StoredObject]:
    """Return the objects that one of the globs names, as a folder's files are named by them.

    Raises:
        SourceError: An object's key is no path of a file (SOURCE_UNREADABLE).
    """
    globs = tuple(globs)
    matching = [each for each in found if any(PurePosixPath(each.key).match(glob) for glob in globs)]
    for each in matching:
        if not each.key or any(part in ("", ".", "..") for part in each.key.split("/")) or "\0" in each.key:
            raise SourceError(
                f"the key {each.key!r} is no path of a file",
                where="events.source",
                fix="give that object another key, or name the others by events.reader.files",
                code=Code.SOURCE_UNREADABLE,
            )
    return matching


def digest_of_objects(objects: Iterable[StoredObject]) -> str:
    """Return the digest of what a listing says of all objects."""
    return digest_of([asdict(each) for each in objects])


def held_objects(folder: Path) -> dict[str, StoredObject]:
    """Return key -> the object of which the file is a copy, for those whose file is there as it was fetched."""
    held = {}
    for key, each in _journal(folder).items():
        path = folder / key
        if path.is_file() and path.stat().st_size == each.size:
            held[key] = each
    return held


def mirror_objects(store: Objects, wanted: Iterable[StoredObject], folder: Path, *, scratch: Path) -> Mirrored:
    """Make a folder hold the wanted objects, and no others.

    Args:
        store: The object store.
        wanted: The objects, as they were listed.
        folder: The folder; its journal lies beside it.
        scratch: Folder on the same disk, in which an object is written before it is moved to its place.

    Raises:
        SourceError: The store fails, see the port. What was fetched until then stays.
    """
    listed = {each.key: each for each in wanted}
    held = held_objects(folder)
    _write_journal(folder, held, scratch)
    gone = sorted(_files(folder) - {*listed})
    num_fetched = num_bytes = 0
    with _journal_path(folder).open("ab") as journal:
        for key in gone:
            _remove(folder, key)
        for key, each in sorted(listed.items()):
            if held.get(key) == each:
                continue
            fetched = _fetch(store, key, folder / key, scratch)
            if fetched is None:  # it went after it was listed
                _remove(folder, key)
                gone.append(key)
                continue
            journal.write(_line(fetched))
            journal.flush()
            num_fetched, num_bytes = num_fetched + 1, num_bytes + fetched.size
    return Mirrored(num_fetched, num_bytes, len(gone))


def _fetch(store: Objects, key: str, path: Path, scratch: Path) -> StoredObject | None:
    """Bring an object to its path, whole; return what it is now, None if it is gone."""
    scratch.mkdir(parents=True, exist_ok=True)
    beside = scratch / f"object-{digest_of(key)[:16]}"
    with store.read(key) as opened:
        if opened is None:
            return None
        now, pieces = opened
        with beside.open("wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    if beside.stat().st_size != now.size:
        raise SourceError(
            f"the object {key!r} has {now.size:,} bytes, and {beside.stat().st_size:,} came",
            where="events.source",
            fix="run the same command again",
            code=Code.SOURCE_UNREACHABLE,
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    beside.replace(path)
    return now


def _remove(folder: Path, key: str) -> None:
    """Remove a file, and the folders that are empty without it."""
    path = folder / key
    path.unlink(missing_ok=True)
    for parent in path.parents:
        if parent == folder or any(parent.iterdir()):
            return
        parent.rmdir()


def _journal_path(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.jsonl")


def _files(folder: Path) -> set[str]:
    """Return the keys of all files in the folder, also of those that no line tells of: a pull was killed before it."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _journal(folder: Path) -> dict[str, StoredObject]:
    return {each.key: each for each in _lines(_journal_path(folder))}


def _lines(path: Path) -> Iterator[StoredObject]:
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            yield msgspec.json.decode(line, type=StoredObject)
        except msgspec.MsgspecError:  # the last line of a pull that was killed
            continue


def _write_journal(folder: Path, held: Mapping[str, StoredObject], scratch: Path) -> None:
    """Write the journal anew, a line for each file that is there."""
    folder.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(parents=True, exist_ok=True)
    beside = scratch / "objects.jsonl"
    beside.write_bytes(b"".join(_line(each) for each in held.values()))
    beside.replace(_journal_path(folder))


def _line(each: StoredObject) -> bytes:
    return msgspec.json.encode(each) + b"\n"
