"""Schemas of source files: which columns of which types a file has, and what changed from one version to another.

A column is named by its path: `geo.country` is a field of a struct, `items[].price` one of each struct in a list.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from endcap.core.ids import digest_of

__all__ = [
    "INSTANT",
    "LIST",
    "SCALAR",
    "STRUCT",
    "Change",
    "SourceSchema",
    "changes_between",
    "column_at_fault",
    "columns_of_parquet",
    "schema_digest",
    "under_names",
]

SCALAR, INSTANT, LIST, STRUCT = "one value", "an instant", "list<struct>", "struct"
"""What a reader can take a column for."""

_NOTHING = "null"
_NESTED = ("list", "struct", "map")
_NO_INSTANT = ("bool", "binary", "date", "time32", "time64", "duration", _NOTHING)
_WIDTHS = {
    **{f"{sign}int{bits}": bits - (not sign) for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "halffloat": 11,
    "float": 24,
    "double": 53,
}  # bits of the whole numbers that a type holds without loss


@dataclass(frozen=True)
class SourceSchema:
    """One version of a source's schema.

    Args:
        source: Kind of the reader.
        version: Its number, from 1 in the order in which versions were first seen; it never changes.
        columns: Path of each column -> its type.
        file: The first file that had it.
        day: The day of that file, "" where nothing tells it.
        before: Version of the file before that one, 0 if there was none.
        run_id: The run that saw it first.
    """

    source: str
    version: int
    columns: Mapping[str, str]
    file: str
    day: str
    before: int
    run_id: str

    @property
    def digest(self) -> str:
        """Digest of the columns, whatever their order."""
        return schema_digest(self.columns)


@dataclass(frozen=True)
class Change:
    """What became of one column.

    Args:
        what: added, removed, renamed, widened, narrowed or changed (its type).
        column: Its path; before, where it was renamed.
        before: Its type before, "" if it was not there; of a renamed column its name.
        after: Its type now, "" if it is gone; of a renamed column its name.
    """

    what: str
    column: str
    before: str
    after: str

    def __str__(self) -> str:
        """Tell it in a few words."""
        if self.what == "added":
            return f"{self.column} added ({self.after})"
        if self.what == "removed":
            return f"{self.column} removed ({self.before})"
        if self.what == "renamed":
            return f"{self.column} renamed {self.after}"
        return f"{self.column} {self.what} from {self.before} to {self.after}"


def schema_digest(columns: Mapping[str, str]) -> str:
    """Return the digest of columns, whatever their order; 16 hex digits."""
    return digest_of(dict(sorted(columns.items())))[:16]


def columns_of_parquet(schema: pa.Schema) -> dict[str, str]:
    """Return the path of each column of a Parquet file, nested ones too -> its type."""
    return {path: kind for field in schema for path, kind in _paths(field.name, field.type)}


def under_names(columns: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    """Return columns under the reader's names.

    Args:
        columns: Path -> type.
        names: The reader's name -> the file's own; where the file has both, its own name counts.
    """
    ours = {theirs: name for name, theirs in names.items() if theirs in columns}
    taken = {*ours.values()} - {*ours}
    renamed = {}
    for path, kind in columns.items():
        root, rest = _split(path)
        if root not in taken:
            renamed[ours.get(root, root) + rest] = kind
    return renamed


def column_at_fault(
    columns: Mapping[str, str], *, needed: Sequence[str | tuple[str, ...]], wanted: Mapping[str, str]
) -> str:
    """Return the first column for which a file cannot be read, "" if it can.

    Args:
        columns: Path -> type, under the reader's names.
        needed: Paths without which nothing can be read; of several together one is enough.
        wanted: Path -> what the reader takes the column for: SCALAR, INSTANT, LIST or STRUCT.
    """
    told = [each for name, kind in wanted.items() if name in columns and not _fits(columns[name], kind, name in needed)
            for each in [name]]  # fmt: skip
    gone = [each[0] if isinstance(each, tuple) else each for each in needed
            if not any(name in columns for name in (each if isinstance(each, tuple) else (each,)))]  # fmt: skip
    # A list that is none has no fields either: the type is what is told.
    return next(iter([*[each for each in gone if "[]" not in each], *told, *gone]), "")


def changes_between(
    before: Mapping[str, str], after: Mapping[str, str], names: Mapping[str, str] | None = None
) -> list[Change]:
    """Return what changed from one version to another, columns ascending.

    Args:
        before: Path -> type.
        after: The same of the later version.
        names: The reader's name -> the file's own: what is gone and has come under such a name was renamed.
    """
    moved = {ours: theirs for ours, theirs in (names or {}).items()
             if ours in before and ours not in after and theirs in after and theirs not in before}  # fmt: skip
    back = {theirs: ours for ours, theirs in (names or {}).items()
            if theirs in before and theirs not in after and ours in after and ours not in before}  # fmt: skip
    moved |= back
    found = [Change("renamed", old, old, new) for old, new in moved.items()]
    old_columns = {moved.get(_split(path)[0], _split(path)[0]) + _split(path)[1]: kind for path, kind in before.items()}
    for path in {*old_columns, *after}:
        old, new = old_columns.get(path, ""), after.get(path, "")
        if old != new:
            found.append(Change(_what(old, new), path, old, new))
    return sorted(found, key=lambda each: (each.column, each.what))


def _what(old: str, new: str) -> str:
    if not old or not new:
        return "removed" if old else "added"
    if _NOTHING in (old, new):
        return "widened" if old == _NOTHING else "narrowed"
    if {old, new} <= {*_WIDTHS}:
        same = ("int" in old) == ("int" in new)
        if _WIDTHS[old] < _WIDTHS[new] and (same or "int" in old):
            return "widened"
        if _WIDTHS[old] > _WIDTHS[new] and same:
            return "narrowed"
    return "changed"


def _fits(kind: str, wanted: str, is_needed: bool) -> bool:  # noqa: FBT001 - of one caller
    if kind == _NOTHING:
        return not is_needed or wanted == SCALAR
    if wanted == SCALAR:
        return not kind.startswith(_NESTED)
    if wanted == INSTANT:
        return not kind.startswith((*_NESTED, *_NO_INSTANT))
    return kind == wanted


def _paths(path: str, kind: pa.DataType) -> Iterator[tuple[str, str]]:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    inner = kind.value_type if is_list else kind
    if pa.types.is_struct(inner):
        yield path, LIST if is_list else STRUCT
        for field in inner:
            yield from _paths(f"{path}{'[]' if is_list else ''}.{field.name}", field.type)
    else:
        yield path, f"list<{_plain(inner)}>" if is_list else _plain(kind)


def _plain(kind: pa.DataType) -> str:
    """Return a type's name, the same for types that differ only in how Arrow lays them out."""
    return re.sub(r"^large_|_view$", "", str(kind))


def _split(path: str) -> tuple[str, str]:
    root = re.split(r"\[\]|\.", path, maxsplit=1)[0]
    return root, path[len(root) :]
