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
    if _note_of(out) == _as_json(told):
        return True
    raise _refused(f"there is {'another world' if _note_of(out) else 'something'} in the folder already", out)


@contextmanager
def held(part: Path) -> Iterator[None]:
    """Make the folder of the work if need be and hold it: no other process works in it meanwhile.

    Raises:
        UsageError: It cannot be made.
        StoreError: Another process is at work in it.
    """
    try:
        part.mkdir(parents=True, exist_ok=True)
        handle = os.open(part, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _unmade(part, error) from error
    try:
        # The folder itself is what is locked: a file in it would have to leave before the folder takes its place.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise StoreError(
            "another run is writing this shop just now",
            where=str(part),
            fix="wait until it has ended, or name another folder",
            code=Code.STORE_UNUSABLE,
        ) from error
    finally:
        os.close(handle)
        with suppress(OSError):  # where nothing was done in it
            part.rmdir()


def begin(part: Path, told: Mapping[str, Any], folders: Sequence[str]) -> None:
    """Prepare the folder of the work, which is held; what a run of other settings left there is removed.

    Raises:
        UsageError: It cannot be written to.
    """
    try:
        if _note_of(part) != _as_json(told):
            for path in part.iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for path in part.glob(".*.gone"):
            shutil.rmtree(path)
        for name in (*folders, _NOTE.parent.name):
            (part / name).mkdir(parents=True, exist_ok=True)
        write_json(part / _NOTE, told)
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


def _as_json(told: Mapping[str, Any]) -> Any:
    return json.loads(json.dumps(told))


def _refused(what: str, out: Path) -> UsageError:
    return UsageError(what, where=str(out), fix="name another folder or remove this one", code=Code.USAGE)


def _unmade(part: Path, error: OSError) -> UsageError:
    what = f"the folder cannot be made: {error.strerror}"
    return UsageError(what, where=str(part.parent), fix="name another folder", code=Code.USAGE)
