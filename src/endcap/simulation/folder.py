"""The folder of a world: refused where something else lies in it, made in one piece, by one run at a time.

All work happens in `.OUT.part` beside it, which takes its place when the world is complete.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from endcap.core.errors import Code, StoreError, UsageError
from endcap.simulation.files import remove_whole, whole_file

__all__ = ["begin", "complete", "held", "is_there", "read_json", "write_json"]

_NOTE = Path("truth") / "world.json"
_SHOWN, _LONGEST = 3, 60


def is_there(out: Path, told: Mapping[str, Any]) -> bool:
    """Return whether this very world lies in the folder.

    Args:
        out: The folder, without links on the way.
        told: All that makes the world, as `truth/world.json` has it.

    Raises:
        UsageError: Something else lies there, or the folder is none that another one can take the place of.
    """
    if out.is_dir() and not any(out.iterdir()):
        if out.is_mount() or Path.cwd().is_relative_to(out):
            what = "a file system of its own" if out.is_mount() else "the folder that you are in"
            raise _refused(f"the finished shop takes the place of the folder, and this one is {what}", out)
        return False
    if not out.exists():
        return False
    note = _note_of(out)
    if note == _as_json(told):
        return True
    if note:
        raise _refused(f"there is another world in the folder already: {_difference(note, _as_json(told))}", out)
    raise _refused(f"there is {'something in the folder' if out.is_dir() else 'a file of that name'} already", out)


@contextmanager
def held(part: Path) -> Iterator[None]:
    """Make the folder of the work if need be and hold it: no other process works in it meanwhile.

    Raises:
        UsageError: It cannot be made.
        StoreError: Another process is at work in it.
    """
    handle = _locked(part)
    try:
        yield
    finally:
        with suppress(OSError):  # where nothing was done in it
            if _is_it(part, handle):
                part.rmdir()
        os.close(handle)


def _locked(part: Path) -> int:
    """Return a handle on the locked folder, which is what is locked: a file in it would have to leave in the end."""
    while True:
        try:
            part.mkdir(parents=True, exist_ok=True)
            handle = os.open(part, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise _unmade(part, error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise StoreError(
                "another run is writing this shop just now",
                where=str(part),
                fix="wait until it has ended, or name another folder",
                code=Code.STORE_UNUSABLE,
            ) from error
        if _is_it(part, handle):
            return handle
        os.close(handle)  # whoever held it has completed or removed it between the two calls


def _is_it(part: Path, handle: int) -> bool:
    """Say whether a handle is on the folder that has this name now."""
    try:
        return os.path.samestat(os.fstat(handle), part.stat())
    except OSError:
        return False


def begin(part: Path, told: Mapping[str, Any], folders: Sequence[str]) -> None:
    """Prepare the folder of the work, which is held, or go on in it.

    Raises:
        UsageError: A run of other settings left something there, or somebody else did, or it cannot be written to.
    """
    note = _note_of(part)
    begun = [path for path in part.rglob("*") if path.is_file() and not path.name.startswith(".world.json")]
    if note != _as_json(told) and begun:
        what = "a run of other settings was stopped" if note else "something lies"
        raise UsageError(
            f"{what} where this one would work: {_difference(note, _as_json(told))}",
            where=str(part),
            fix=f"remove that folder, or name another one than {part.name[1:].removesuffix('.part')}",
            code=Code.USAGE,
        )
    try:
        (part / _NOTE).parent.mkdir(exist_ok=True)
        write_json(part / _NOTE, told)
        for path in part.glob(".*.gone"):
            shutil.rmtree(path)
        for name in folders:
            (part / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unmade(part, error) from error


def complete(part: Path, out: Path, *, without: str) -> None:
    """Let the finished work take its place.

    Args:
        part: The folder of the work.
        out: Where it belongs; not there, or an empty folder.
        without: A folder in it that served the work alone.
    """
    remove_whole(part / without)
    part.replace(out)


def read_json(path: Path) -> Any:
    """Read a file that `write_json` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file whole or not at all."""
    with whole_file(path) as part:
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _note_of(folder: Path) -> Any:
    """Return what made the world of a folder; None if that cannot be known."""
    try:
        return read_json(folder / _NOTE)
    except (OSError, ValueError):
        return None


def _difference(there: Any, asked: Any) -> str:
    """Say in which settings two worlds differ, the first three of them."""
    if not isinstance(there, dict):
        return "it is no simulated shop"
    one, other = (
        {**told.get("world", {}), **{k: v for k, v in told.items() if k != "world"}} for told in (there, asked)
    )
    names = [name for name in other if one.get(name) != other[name]]
    told = [f"{name} is {_short(one.get(name))} there, {_short(other[name])} asked" for name in names[:_SHOWN]]
    return "; ".join(told) + (f"; and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def _as_json(told: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(told))


def _refused(what: str, out: Path) -> UsageError:
    return UsageError(what, where=str(out), fix="name another folder or remove this one", code=Code.USAGE)


def _unmade(part: Path, error: OSError) -> UsageError:
    what = f"the folder cannot be made: {error.strerror}"
    return UsageError(what, where=str(part.parent), fix="name another folder", code=Code.USAGE)
