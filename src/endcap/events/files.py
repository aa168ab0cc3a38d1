"""Source files: which there are, which UTC days each one feeds, and how they are opened."""

import difflib
import hashlib
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import ibis
import pyarrow as pa

from endcap.core.clock import day_of, next_day
from endcap.core.errors import Code, SourceError, near
from endcap.core.ids import digest_of
from endcap.engines.port import Engine
from endcap.events.config import EventsConfig
from endcap.events.reader_config import GA4_COLUMN_NAMES, Ga4Reader
from endcap.events.readers import LANDING, SourceReader, parquet_schema, reader_of
from endcap.events.reading import Reading, require_columns, union_of
from endcap.events.refused import DAMAGED, first_broken, read_undamaged, refusal
from endcap.events.source_schema import INSTANT, SourceSchema, schema_digest, under_names
from endcap.events.validate import believed_day

__all__ = [
    "NO_DAY",
    "MakeEngine",
    "SourceFile",
    "cache_of",
    "days_claimed",
    "days_fed",
    "files_for",
    "last_day",
    "named_day",
    "read_files",
    "scan_files",
    "scan_landing",
    "stray_days",
]

_FAR_US = 253_370_764_800_000_000  # 9999-01-01: the scan knows no present; `days_fed` does
_FEW = 20  # rows: a share of fewer says nothing
NO_DAY = "1970-01-01"
"""The day of rows of which neither they nor their file tell one."""

MakeEngine = Callable[[], Engine]
"""Makes the engine, or returns it; called only when a file has to be read."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a source as it was when it was scanned.

    Args:
        source: Kind of the reader, or `landing`.
        path: Where it lies.
        name: Its name without folders; tables name it so.
        size: Bytes.
        mtime_ns: When it was last changed, nanoseconds.
        sha256: Digest of its bytes.
        days: UTC days of the instants in it, ascending, however far ahead.
        named_day: The day its name tells, "" if none.
        num_unplaced: Rows whose instant cannot be read or lies before 2000.
        num_rows: Rows in it.
        settings: Digest of the settings with which its instants were read; "" where none matter.
        day_rows: Rows of each of `days`.
        schema: Digest of its columns, "" where each of its lines tells its own.
        broken: Path of the column for which it cannot be read, `DAMAGED` for a file that is cut off, "" for one that
            can be read: of a broken one `days` are known only where its name tells none, of a damaged one never.
    """

    source: str
    path: str
    name: str
    size: int
    mtime_ns: int
    sha256: str
    days: tuple[str, ...]
    named_day: str
    num_unplaced: int
    num_rows: int
    settings: str
    day_rows: tuple[int, ...] = ()
    schema: str = ""
    broken: str = ""

    @property
    def key(self) -> str:
        """Its name among the inputs of a day."""
        return f"{self.source}:{self.name}"

    def file_day(self, last_day: str) -> str:
        """Return the day under which rows without a believable instant are booked."""
        if self.named_day:
            return self.named_day
        return next((day for day in self.days if day <= last_day), NO_DAY)

    def first_day(self, config: EventsConfig) -> str:
        """Return the first day of which a row is believed, "" where the file's name tells no day: then any is."""
        return next_day(self.named_day, -config.max_lateness_days) if self.named_day else ""


Cache = Mapping[tuple[str, str, int, int, str], SourceFile]
"""(source, name, size, mtime_ns, settings) -> what an earlier scan found."""


def cache_of(files: Iterable[SourceFile]) -> dict[tuple[str, str, int, int, str], SourceFile]:
    """Return earlier scans as a cache for the next one."""
    return {(file.source, file.name, file.size, file.mtime_ns, file.settings): file for file in files}


def scan_files(
    make_engine: MakeEngine, config: EventsConfig, folder: Path, *, cache: Cache | None = None
) -> list[SourceFile]:
    """List the files of the source that the reader's glob names, ascending by name; also those that are `broken`.

    Args:
        make_engine: Makes what reads their instants.
        config: `[events]`.
        folder: The source's folder.
        cache: Earlier scans; a file of the same name, size and time of change is not read again while the reader's
            settings are the same.

    Raises:
        SourceError: The folder or the files are not there, two files of the same name stand in different folders, or
            no file can be read, or one cannot that tells no day.
    """
    if not folder.is_dir():
        raise _missing(f"the source folder {folder} is not there", folder)
    paths = sorted((path for path in folder.rglob(config.reader.files) if path.is_file()), key=lambda path: path.name)
    if not paths:
        raise _missing(f"no file in {folder} matches {config.reader.files!r}", folder)
    _refuse_equal_names(paths)
    return _scanned(make_engine, config, config.reader.kind, paths, cache or {})


def scan_landing(
    make_engine: MakeEngine, config: EventsConfig, folder: Path, *, cache: Cache | None = None
) -> list[SourceFile]:
    """List the server's complete segments (`.jsonl`; one being written ends in `.open`); none if there is no folder."""
    paths = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
    return _scanned(make_engine, config, LANDING, paths, cache or {})


def days_fed(files: Iterable[SourceFile], config: EventsConfig, *, now_us: int) -> dict[str, list[SourceFile]]:
    """Return for each day, ascending, the files that hold rows of it or claim it by their name.

    Rows of the future, rows that are too late and rows without a readable instant are booked on the file's own day. Of
    the last day that is believed only a part may be: the scan knows days, not instants.
    """
    last = last_day(config, now_us)
    fed: dict[str, list[SourceFile]] = {}
    for file in files:
        days = {day for day in file.days if file.first_day(config) <= day <= last}
        if file.named_day or file.num_unplaced or len(days) < len(file.days):
            days.add(file.file_day(last))
        for day in days:
            fed.setdefault(day, []).append(file)
    return dict(sorted(fed.items()))


def days_claimed(fed: Mapping[str, Sequence[SourceFile]], config: EventsConfig, *, now_us: int) -> set[str]:
    """Return the days that must have an event: those that a file is named by, or holds rows of that are all believed.

    Not among them is a day on which the last believed instant lies: all its rows may be later than that instant.
    """
    last = last_day(config, now_us)
    return {
        day
        for day, files in fed.items()
        if any(day == file.named_day or (day < last and day in file.days) for file in files)
    }


def stray_days(fed: Mapping[str, Sequence[SourceFile]], config: EventsConfig) -> set[str]:
    """Return the days of a handful of rows that stand among many others in files which no day names.

    Of such a day even every row may be bad: its files are not, and some device's clock was.
    """
    stray = set()
    for day, files in fed.items():
        own = sum(rows for file in files for each, rows in zip(file.days, file.day_rows, strict=True) if each == day)
        is_few = 0 < own < _FEW and own <= config.max_bad_share * sum(file.num_rows for file in files)
        if is_few and not any(file.named_day == day for file in files):
            stray.add(day)
    return stray


def files_for(fed: Mapping[str, Sequence[SourceFile]], days: Sequence[str]) -> list[SourceFile]:
    """Return the files that feed some days, ascending."""
    found = {(file.source, file.name): file for day in days for file in fed.get(day, ())}
    return [found[name] for name in sorted(found)]


def read_files(engine: Engine, config: EventsConfig, files: Sequence[SourceFile], *, now_us: int) -> Reading:
    """Read files of any source into one reading.

    Raises:
        SourceError: A file cannot be read, or lacks a column.
    """
    ordered = sorted(files, key=lambda file: (file.source, file.name))
    numbers = {(file.source, file.name): number for number, file in enumerate(ordered)}
    last = last_day(config, now_us)
    readings = []
    for source in sorted({file.source for file in ordered}):
        own = [file for file in ordered if file.source == source]
        numbers_own = {file.name: numbers[file.source, file.name] for file in own}
        reader = reader_of(source, config)
        for raw, names in _opened(engine, reader, [Path(file.path) for file in own]):
            days = [(raw["_file"] == file.name, file.file_day(last)) for file in own if file.name in names]
            readings.append(reader.read(raw, numbers_own, ibis.cases(*days, else_=NO_DAY)))
    return union_of(readings)


def _opened(
    engine: Engine, reader: SourceReader, paths: Sequence[Path], *, times_only: bool = False
) -> list[tuple[ibis.Table, set[str]]]:
    """Open files as raw tables, one for each set of columns and types, so that files that differ do not clash."""
    open_text = reader.open_times if times_only and reader.open_times else reader.open_text
    groups: dict[str, list[Path]] = {}
    for path in paths:
        kind = str(parquet_schema(path)) if path.suffix == ".parquet" else "text"
        groups.setdefault(kind, []).append(path)
    opened = []
    for kind, group in groups.items():
        if kind == "text":
            opened.append(_taken_in(engine, [open_text(path) for path in group], group))
        else:
            opened.append((engine.read_parquet([str(path) for path in group]), {path.name for path in group}))
    return opened


def _taken_in(engine: Engine, tables: Sequence[pa.Table], paths: Sequence[Path]) -> tuple[ibis.Table, set[str]]:
    return engine.read_arrow(pa.concat_tables(tables, promote_options="default")), {path.name for path in paths}


def _scanned(
    make_engine: MakeEngine, config: EventsConfig, source: str, paths: Sequence[Path], cache: Cache
) -> list[SourceFile]:
    settings = "" if source == LANDING else digest_of(config.reader.model_dump())
    known: dict[str, SourceFile] = {}
    fresh: list[Path] = []
    for path in paths:
        stat = path.stat()
        earlier = cache.get((source, path.name, stat.st_size, stat.st_mtime_ns, settings))
        if earlier is not None:
            known[path.name] = replace(earlier, path=str(path))
        else:
            fresh.append(path)
    if source == "ga4" and not known:
        _refuse_unknown_columns(config, fresh)
    reader = reader_of(source, config)
    by_name = {path.name: path for path in fresh}
    columns, damaged = read_undamaged(
        lambda names: {name: reader.columns_of(by_name[name]) for name in names}, list(by_name)
    )
    broken = {name: reader.fault_of(found) for name, found in columns.items()} | dict.fromkeys(damaged, DAMAGED)
    # What of a broken file can be read is when its rows are; a file that is named by its day need not be asked.
    asked = [path.name for path in fresh if not broken[path.name]
             or (broken[path.name] not in (reader.time, DAMAGED)
                 and not (reader.claims_day and named_day(path.name)))]  # fmt: skip
    found, damaged = read_undamaged(
        lambda names: (
            _instants_by_file(make_engine(), reader, [by_name[name] for name in names], broken) if names else {}
        ),
        asked,
    )
    broken |= dict.fromkeys(damaged, DAMAGED)
    for path in fresh:
        file = _source_file(path, source, settings, found.get(path.name, {}), reader)
        schema = columns.get(path.name, {})
        if reader.time in reader.types and _is_text_alone(schema, file, reader):
            broken[path.name] = reader.time
        if broken[path.name] == DAMAGED:  # its rows tell nothing: the day of its name is the best that is known
            file = replace(file, named_day=named_day(path.name))
        known[path.name] = replace(file, schema=schema_digest(schema) if schema else "", broken=broken[path.name])
    files = [known[path.name] for path in paths]
    _refuse_unplaced(files, reader, config, {path.name: path for path in paths})
    return files


def _is_text_alone(columns: Mapping[str, str], file: SourceFile, reader: SourceReader) -> bool:
    """Whether the instants of a file have become text of which none is an instant."""
    kind = under_names(columns, reader.names).get(reader.time, "")
    return reader.types[reader.time] == INSTANT and kind == "string" and 0 < file.num_rows == file.num_unplaced


def _refuse_unplaced(
    files: Sequence[SourceFile], reader: SourceReader, config: EventsConfig, paths: Mapping[str, Path]
) -> None:
    """Refuse the source where no file can be read, or nothing tells which days a broken one would stop."""
    broken = [file for file in files if file.broken]
    lost = [file for file in broken if not file.named_day and not file.days]
    if lost or (broken and len(broken) == len(files)):
        first = first_broken(lost or broken)
        columns = {} if first.broken == DAMAGED else reader.columns_of(paths[first.name])
        schema = SourceSchema(first.source, 1, columns, first.name, "", 0, "")
        raise refusal(lost or broken, [schema], config)


def _refuse_unknown_columns(config: EventsConfig, paths: Sequence[Path]) -> None:
    """Refuse a column of the settings that no file has but one of nearly that name: a slip.

    Any other may come with a file of tomorrow. All files are read anew when the settings change.
    """
    if not isinstance(config.reader, Ga4Reader) or not config.reader.columns:
        return
    known = {name for path in paths if path.suffix == ".parquet" for name in parquet_schema(path).names}
    own = sorted(known - {*GA4_COLUMN_NAMES})
    for name, column in config.reader.columns.items():
        if column not in known and difflib.get_close_matches(column, own, cutoff=0.8):
            raise SourceError(
                f"no file of the export has a column {column!r} for {name}; {near(column, own)}",
                where="events.reader.columns",
                fix="correct its name there, or take it out",
                code=Code.SOURCE_COLUMN,
            )


def _source_file(
    path: Path, source: str, settings: str, rows_by_day: Mapping[str, int], reader: SourceReader
) -> SourceFile:
    stat = path.stat()
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return SourceFile(
        source=source,
        path=str(path),
        name=path.name,
        size=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
        sha256=sha256,
        days=(days := tuple(sorted(day for day in rows_by_day if day))),
        day_rows=tuple(rows_by_day[day] for day in days),
        named_day=named_day(path.name) if reader.claims_day else "",
        num_unplaced=rows_by_day.get("", 0),
        num_rows=sum(rows_by_day.values()),
        settings=settings,
    )


def _instants_by_file(
    engine: Engine, reader: SourceReader, paths: Sequence[Path], broken: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    """Return file name -> UTC day ("" for none) -> rows, reading the column of time alone."""
    found: dict[str, dict[str, int]] = {}
    for opened, names in _opened(engine, reader, paths, times_only=True):
        raw = reader.named(opened)
        if not any(broken[name] for name in names):
            _require(raw, reader.needed, sorted(names))
        day = believed_day(reader.instant_us(raw), ibis.literal(""), last_us=_FAR_US)
        counted = raw.select(file=raw["_file"], day=day).group_by(["file", "day"]).aggregate(num=ibis._.count())
        for row in engine.to_arrow(counted).to_pylist():
            found.setdefault(row["file"], {})[row["day"]] = row["num"]
    return found


def _require(raw: ibis.Table, needed: Sequence[str], names: list[str]) -> None:
    """Refuse files that lack a column, naming them."""
    try:
        require_columns(raw, needed)
    except SourceError as error:
        files = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        raise SourceError(error.what, where=f"{files}, {error.where}", fix=error.fix, code=error.code) from error


def last_day(config: EventsConfig, now_us: int) -> str:
    """Return the UTC day on which the last believed instant lies."""
    return day_of(now_us + config.future_tolerance_s * 1_000_000)


def named_day(name: str) -> str:
    """Return the day that a file's name tells, "" if none: events_20260801.parquet, 2026-08-01.csv."""
    found = re.search(r"(20\d{2})-?(\d{2})-?(\d{2})", name)
    try:
        return date(*(int(part) for part in found.groups())).isoformat() if found else ""
    except ValueError:
        return ""


def _refuse_equal_names(paths: Sequence[Path]) -> None:
    for earlier, later in itertools.pairwise(paths):
        if earlier.name == later.name:
            raise SourceError(
                f"two source files are named {later.name}: {earlier.parent} and {later.parent}",
                where=str(later),
                fix="rename one of them: rows are traced by the file's name",
                code=Code.SOURCE_UNREADABLE,
            )


def _missing(what: str, folder: Path) -> SourceError:
    return SourceError(
        what,
        where=str(folder),
        fix="correct events.source (and events.reader.files) in endcap.toml",
        code=Code.SOURCE_MISSING,
    )
