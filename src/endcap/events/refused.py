"""Files that cannot be read, for a column or as a whole: which days they stop, and what the user is told.

Such a file is left out, and only its own days wait for it, as they would wait for a file that has not come: what they
held stays in force, all other days are done, and when the file can be read its days and their neighbours are made.
"""

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from endcap.core.errors import Code, SourceError, near
from endcap.events.config import EventsConfig
from endcap.events.reader_config import Ga4Reader
from endcap.events.source_schema import SourceSchema

if TYPE_CHECKING:  # files.py raises what is told here
    from endcap.events.files import SourceFile

__all__ = ["DAMAGED", "first_broken", "read_undamaged", "refusal", "stopped_days"]

DAMAGED = "*"
"""In the place of the column for which a file cannot be read: the whole file is cut off or damaged."""

_SHOWN = 3
_Read = TypeVar("_Read")


def read_undamaged(read: Callable[[list[str]], _Read], names: Sequence[str]) -> tuple[_Read, set[str]]:
    """Read files, and once more without those that turn out to be damaged.

    Args:
        read: Reads the files of some names; of a damaged one its error names the file alone.
        names: Their names.

    Returns:
        What was read, and the names of the damaged files.
    """
    damaged: set[str] = set()
    while True:
        left = [name for name in names if name not in damaged]
        try:
            return read(left), damaged
        except SourceError as error:
            if error.code is not Code.SOURCE_UNREADABLE or error.where not in left:
                raise
            damaged.add(error.where)


def stopped_days(files: "Sequence[SourceFile]", made_of: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """Return the days that broken files stop, ascending, each with the names of these files.

    A day is stopped by a file that is named by it; where the name tells no day, by one that holds a row of it; and by
    one that it was made from while the file could be read.

    Args:
        files: The files of the source; those that can be read are passed over.
        made_of: Day -> key of each file that it was made from.
    """
    stopped: dict[str, list[str]] = {}
    for file in files:
        if file.broken:
            made = {day for day, keys in made_of.items() if file.key in keys}
            for day in {*made, *([file.named_day] if file.named_day else file.days)}:
                stopped.setdefault(day, []).append(file.name)
    return dict(sorted(stopped.items()))


def first_broken(files: "Sequence[SourceFile]") -> "SourceFile":
    """Return the file of the earliest day, the first by name among several."""
    return min(files, key=lambda file: (file.named_day or min(file.days, default=""), file.name))


def refusal(
    files: "Sequence[SourceFile]", schemas: Collection[SourceSchema], config: EventsConfig, *, days: Sequence[str] = ()
) -> SourceError:
    """Return the error of broken files: what broke in the first of them, how many there are, which days wait.

    Args:
        files: The broken files, at least one.
        schemas: The versions of the source's schema, as far as they are known.
        config: `[events]`.
        days: The days that wait for them; none where nothing at all could be read.
    """
    first = first_broken(files)
    told = f"{len(files):,} files" if len(files) > 1 else "1 file"
    waiting = (
        f"; {_names(days)} {'waits' if len(days) == 1 else 'wait'} for it, all other days are done" if days else ""
    )
    if first.broken == DAMAGED:
        return SourceError(
            f"{told} of the source cannot be read, {first.name} first: it is empty, cut off or damaged{waiting}",
            where=_names([file.name for file in files]),
            fix="export the file again, or move it out of the source folder",
            code=Code.SOURCE_UNREADABLE,
        )
    names = config.reader.columns if isinstance(config.reader, Ga4Reader) else {}
    own = first.broken.replace(_root(first.broken), names.get(_root(first.broken), _root(first.broken)), 1)
    now = next((each for each in schemas if each.digest == first.schema), None)
    found = {} if now is None else now.columns
    column = own if own in found else first.broken
    before = _type_before(column, now, schemas)
    what = f"column {column!r} {_what_broke(column, before, found)}"
    return SourceError(
        f"{told} of the source cannot be read, {first.name} first: {what}{waiting}",
        where=f"{_names([file.name for file in files])}, column {column}",
        fix=_fix(column, before, found, now, schemas, config),
        code=Code.SOURCE_COLUMN,
    )


def _what_broke(column: str, before: str, found: Mapping[str, str]) -> str:
    if column not in found:
        return (
            f"is gone, it was {before}"
            if before
            else f"is not there; {near(column, [name for name in found if '.' not in name])}"
        )
    was = f", it was {before}" if before and before != found[column] else ""
    return f"is {found[column]}{was}: no value of it can be read"


def _type_before(column: str, now: SourceSchema | None, schemas: Collection[SourceSchema]) -> str:
    """Return the type that a column had before, "" where no version has it."""
    known = {each.version: each for each in schemas}
    earlier = known.get(now.before) if now else None
    if earlier is not None and column in earlier.columns:
        return earlier.columns[column]
    others = [each for each in schemas if now is None or each.version != now.version]
    return next((each.columns[column] for each in reversed(others) if column in each.columns), "")


def _fix(
    column: str,
    before: str,
    found: Mapping[str, str],
    now: SourceSchema | None,
    schemas: Collection[SourceSchema],
    config: EventsConfig,
) -> str:
    again = "export these files again with the column as it was, or take them out of the source folder"
    if column in found:
        return again
    earlier = next((each for each in schemas if now and each.version == now.before), None)
    fresh = [name for name in found if earlier is None or name not in earlier.columns]
    likely = [name for name in fresh if "." not in name and found[name] == (before or found[name])]
    near = difflib.get_close_matches(column, likely, n=1)
    name = near[0] if near else likely[0] if earlier and len(likely) == 1 else "ITS NEW NAME"
    if isinstance(config.reader, Ga4Reader):
        mapping = f'columns = {{ {column} = "{name}" }}'
        return f"if it has another name now, write {mapping} under [events.reader] of endcap.toml"
    return f"{again}; a flat export has one mapping, which names the columns of all its files"


def _root(path: str) -> str:
    return path.split("[]", 1)[0].split(".", 1)[0]


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
