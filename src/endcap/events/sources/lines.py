"""Text files as Arrow tables: every line that cannot be read is kept as a row with `_fault`, none stops the file."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from endcap.core.errors import Code, SourceError
from endcap.events.validate import NAMES_A_PERSON

__all__ = [
    "FAULT",
    "decode_json",
    "has_header",
    "header_of",
    "plain_name",
    "read_content",
    "read_csv",
    "read_json_lines",
    "read_rows",
    "split_lines",
    "unreadable",
]

FAULT = "line_unreadable"
_LONGEST_FIELD = 1 << 26  # characters: descriptions may have pictures in them
_BOM = b"\xef\xbb\xbf"
_ENDINGS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".xml", ".html", ".htm", ".parquet")
_LOOKED_AT = 1 << 16  # bytes
_HEADER_BYTES = 1 << 20
_NO_TEXT = "\ufffd"
_MARKS = ("_file", "_row", "_fault")


def read_csv(path: Path) -> pa.Table:
    """Read a CSV or TSV file with a header, every column as text.

    Returns:
        The file's columns, and `_file`, `_row` (line after the header, from 0) and `_fault`. Lines with another number
        of fields than the header, and those that are no UTF-8, come after the readable ones.

    Raises:
        SourceError: The file has no header, or that is no UTF-8 text.
    """
    content, is_text = _as_utf8(read_content(path))
    bad: list[int] = []

    def keep_place(row: Any) -> str:
        bad.append(row.number)
        return "skip"

    tab = "\t" if ".tsv" in plain_name(path) else ","
    try:
        header = next(iter(io.StringIO(content.split(b"\n", 1)[0].decode("utf-8-sig")))).strip("\r\n").split(tab)
        table = pa_csv.read_csv(
            io.BytesIO(content),
            read_options=pa_csv.ReadOptions(use_threads=False),
            parse_options=pa_csv.ParseOptions(delimiter=tab, invalid_row_handler=keep_place, newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(
                column_types={name.strip('"'): pa.string() for name in header},
                strings_can_be_null=True,
                null_values=[""],
            ),
        )
    except (pa.ArrowInvalid, UnicodeDecodeError, StopIteration) as error:
        raise unreadable(path, error) from error
    # Row numbers count the header as 1 and skipped lines too.
    places = [number for number in range(table.num_rows + len(bad)) if number + 2 not in set(bad)]
    faulty = [number - 2 for number in bad]
    if not is_text:
        torn = np.zeros(table.num_rows, bool)
        for column in table.columns:
            torn |= np.asarray(pc.fill_null(pc.match_substring(column, _NO_TEXT), False), bool)  # noqa: FBT003 - positional
        faulty += [place for place, is_torn in zip(places, torn, strict=True) if is_torn]
        places = [place for place, is_torn in zip(places, torn, strict=True) if not is_torn]
        table = table.filter(pa.array(~torn))
    return _marked(table, path, places, sorted(faulty))


def _as_utf8(content: bytes) -> tuple[bytes, bool]:
    """Return bytes that are UTF-8, with a mark where some were not; and whether all were."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        header, newline, rest = content.partition(b"\n")
        return header + newline + rest.decode("utf-8", "replace").encode(), False
    return content, True


def read_json_lines(path: Path) -> pa.Table:
    """Read flat JSON lines, every field as text; nested fields as their JSON.

    Returns:
        A column for every field of any line, and `_file`, `_row` (line, from 0) and `_fault`.
    """
    read: list[dict[str, Any]] = []
    places: list[int] = []
    bad: list[int] = []
    for place, line in split_lines(read_content(path)):
        try:
            told = decode_json(line)
        except ValueError:
            told = None
        if isinstance(told, dict):
            read.append(told)
            places.append(place)
        else:
            bad.append(place)
    names = list(dict.fromkeys(name for each in read for name in each if name not in _MARKS))
    columns = {name: pa.array([_as_text(each.get(name)) for each in read], pa.string()) for name in names}
    return _marked(pa.table(columns), path, places, bad)


def has_header(path: Path) -> bool:
    """Whether a text file names its columns on its first line."""
    return plain_name(path).endswith((".csv", ".tsv", ".txt"))


def header_of(path: Path) -> list[str]:
    """Return the columns that the first line of a text file names, without reading the others.

    A name that may be a person's is hidden: the file may have no header.
    """
    line = read_content(path, most=_HEADER_BYTES).split(b"\n", 1)[0].decode("utf-8-sig", errors="replace")
    rows = csv.reader([line.rstrip("\r")], delimiter="\t" if ".tsv" in path.name else ",")
    return ["(hidden)" if re.search(NAMES_A_PERSON, name) else name for name in next(rows, [])]


def decode_json(content: bytes) -> Any:
    """Return a JSON document.

    Raises:
        ValueError: It is none, or nested too deeply to be read.
    """
    try:
        return msgspec.json.decode(content.removeprefix(_BOM))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(str(error)) from error


def plain_name(path: Path) -> str:
    """Return a file's name without the ending of its compression, lower case.

    A packed file that has no other ending (events-2026.gz) gets the one that its content has.
    """
    name = path.name.lower()
    plain = name.removesuffix(".gz").removesuffix(".zst")
    if plain == name or plain.endswith(_ENDINGS) or not path.is_file():
        return plain
    return plain + _ending_of(path)


def _ending_of(path: Path) -> str:
    """Return the ending for what a file begins with, "" for what is none of it."""
    try:
        head = read_content(path, most=_LOOKED_AT).removeprefix(_BOM).lstrip()
    except SourceError:
        return ""
    begins = {b"{": ".jsonl", b"[": ".json", b"<": ".xml"}
    if head[:1] in begins:
        return begins[head[:1]]
    line = head.split(b"\n", 1)[0]
    return ".tsv" if b"\t" in line else ".csv" if b"," in line else ""


def read_rows(path: Path, *, delimiter: str) -> Iterator[list[str]]:
    """Yield the rows of a text file, fields as they are; a field in quotes may have several lines.

    Raises:
        SourceError: The file is missing, damaged, or no UTF-8 text.
    """
    try:
        text = read_content(path).decode("utf-8-sig")
        csv.field_size_limit(_LONGEST_FIELD)
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    except (UnicodeDecodeError, csv.Error) as error:
        raise unreadable(path, error) from error


def split_lines(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each line that is not blank with its place in the file, from 0."""
    for place, line in enumerate(content.split(b"\n")):
        if line.strip():
            yield place, line


def read_content(path: Path, *, most: int | None = None) -> bytes:
    """Return what a file holds, or its first bytes, unpacked where its name ends in .gz or .zst.

    Args:
        path: The file.
        most: How many bytes are wanted; None for all.

    Raises:
        SourceError: It is missing or damaged.
    """
    content: bytes
    try:
        with pa.input_stream(str(path), compression="detect") as file:
            content = file.read(most)
    except (OSError, EOFError, pa.ArrowException) as error:
        raise unreadable(path, error) from error
    return content


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return msgspec.json.encode(value).decode()


def _marked(table: pa.Table, path: Path, places: list[int], bad: list[int]) -> pa.Table:
    nothing = pa.nulls(len(bad), pa.string())
    columns = {name: pa.concat_arrays([*table[name].chunks, nothing]) for name in table.column_names}
    num_rows = len(places) + len(bad)
    return pa.table(
        {
            **columns,
            "_file": pa.array([path.name] * num_rows, pa.string()),
            "_row": pa.array(places + bad, pa.int64()),
            "_fault": pa.array([None] * len(places) + [FAULT] * len(bad), pa.string()),
        }
    )


def unreadable(path: Path, error: Exception) -> SourceError:
    """Return the error of a file that cannot be read."""
    first_line = (str(error).splitlines() or ["it is empty"])[0]
    return SourceError(
        f"the file cannot be read: {first_line}",
        where=path.name,
        fix="export the file again, or move it out of the source folder",
        code=Code.SOURCE_UNREADABLE if path.exists() else Code.SOURCE_MISSING,
    )
