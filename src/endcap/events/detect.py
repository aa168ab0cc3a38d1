"""What a folder holds: looked at once, by `endcap init`, so that a user starts from settings that fit."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatch
from os.path import commonprefix
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
from pydantic import TypeAdapter

from endcap.core.errors import Code, SourceError, near
from endcap.core.tables import CANONICAL_EVENT_NAMES
from endcap.engines.port import Engine
from endcap.events.config import EventsConfig
from endcap.events.detect_catalogue import add_catalogue, is_catalogue
from endcap.events.detected import Detected
from endcap.events.reader_config import AUTOMATIC_EVENT_NAMES, GA4_COLUMN_NAMES, AnyReader, MappedReader
from endcap.events.readers import parquet_schema, reader_of
from endcap.events.recognise import NESTED_NAMES, event_names, nested_kind
from endcap.events.sources.ga4 import GA4_COLUMNS
from endcap.events.sources.guesses import COLUMN_SETTINGS, FOLDED_BY_DEFAULT, RENAMES, guess_columns
from endcap.events.sources.lines import plain_name, read_csv, read_json_lines
from endcap.events.validate import NAMES_A_PERSON

__all__ = ["detect"]

_TEXT = (".csv", ".jsonl", ".ndjson", ".json", ".tsv", ".txt")
_MAYBE = (".json", ".tsv", ".txt")  # events only if they are of a known kind
_PACKED = (".gz", ".zst")
_LOOKED_AT_ROWS = 1_000
_MOST_NAMES, _LONGEST_NAME = 100, 60
_SIGNS = (("time",), ("user_id", "device_id", "transaction_id"), ("item_id", "item_name"))


def detect(engine: Engine, folder: Path, *, columns: Mapping[str, str] | None = None, currency: str = "") -> Detected:
    """Recognise the export in a folder.

    Args:
        engine: Reads the files.
        folder: The folder.
        columns: Setting of the reader (time, item_id, user_id, ...) -> column of a flat file, where a user says so;
            what is not said is guessed.
        currency: ISO 4217 code of prices whose currency nothing names.

    Raises:
        SourceError: The folder is missing or empty (SOURCE_MISSING), its files are damaged (SOURCE_UNREADABLE), or
            nothing in it is understood (SOURCE_UNKNOWN, with what was found).
    """
    if not folder.is_dir():
        raise _missing(f"the folder {folder} is not there", folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    if not files:
        raise _missing(f"the folder {folder} is empty", folder)
    detected, known = _events_of(engine, folder, files, columns or {})
    told = add_catalogue(detected, [path for path in files if path not in known], folder, currency)
    others = [path.name for path in files if path not in known and path not in told]
    if columns and detected.kind != "mapped":
        raise SourceError(
            f"what {NESTED_NAMES[detected.kind]} holds is known",
            where="--columns",
            fix="leave --columns out",
            code=Code.SOURCE_COLUMN,
        )
    if currency:
        detected.settings["default_currency"] = currency
        detected.found.append(f"prices whose currency nothing names are taken as {currency}, as you said")
    reader = detected.settings["reader"]
    if "price" in reader and "currency" not in reader and detected.default_currency is None:
        detected.ignored.append(
            f"rows with a {reader['price']}, as nothing names their currency: set events.default_currency to keep them"
        )
    if others:
        detected.ignored.append(f"{len(others)} other files: {', '.join(others[:5])}")
    return detected


def _events_of(
    engine: Engine, folder: Path, files: Sequence[Path], columns: Mapping[str, str]
) -> tuple[Detected, Sequence[Path]]:
    """Recognise the events of a folder; return also the files that were looked at for them."""
    parquet = [path for path in files if path.suffix == ".parquet"]
    if ga4 := [path for path in parquet if _is_ga4(path)]:
        detected = _ga4(engine, folder, ga4)
        _add_unlike(detected, [path for path in parquet if path not in ga4])
        return detected, parquet
    texts = [path for path in files if plain_name(path).endswith(_TEXT) and not is_catalogue(path)]
    texts = [path for path in texts if not plain_name(path).endswith(_MAYBE) or nested_kind(path)]
    if not parquet and not texts:
        raise _unknown(folder, files)
    kind = "" if parquet else next((kind for path in texts if (kind := nested_kind(path))), "")
    if kind:
        texts = [path for path in texts if nested_kind(path) == kind]
        return _nested(folder, texts, files), texts
    detected = _mapped(engine, folder, parquet or texts, columns)
    detected.settings["reader"]["files"] = _glob(detected.settings["reader"]["files"], parquet or texts, files)
    return detected, parquet or texts


def _ga4(engine: Engine, folder: Path, paths: Sequence[Path]) -> Detected:
    glob = "events_*.parquet" if all(path.name.startswith("events_") for path in paths) else "*.parquet"
    raw = engine.read_parquet([str(path) for path in paths])
    counted = raw.group_by("event_name").aggregate(num=raw.count())
    counts = {row["event_name"] or "": row["num"] for row in engine.to_arrow(counted).to_pylist()}
    settings: dict[str, Any] = {"reader": {"kind": "ga4", "files": glob}}
    detected = Detected("ga4", str(folder), settings)
    detected.found.append(
        f"a GA4 BigQuery export: {sum(counts.values()):,} events in {len(paths)} files up to {paths[-1].name}"
    )
    _add_event_names(detected, counts)
    return detected


def _nested(folder: Path, paths: Sequence[Path], files: Sequence[Path]) -> Detected:
    kind, ending = nested_kind(paths[0]), _ending(paths[0])
    wide = f"*{ending}" if all(_ending(path) == ending for path in paths) else f"*{Path(plain_name(paths[0])).suffix}*"
    glob = _glob(wide, paths, files)
    detected = Detected(kind, str(folder), {"reader": {"kind": kind, "files": glob}})
    same = [path for path in paths if fnmatch(path.name, glob)]
    counts = event_names(same[0], kind)
    detected.found.append(
        f"{NESTED_NAMES[kind]}: {len(same)} files; of {same[0].name} {sum(counts.values()):,} events were looked at"
    )
    _add_event_names(detected, counts)
    missed = [path.name for path in paths if path not in same]
    others = [path.name for path in files if path not in paths and fnmatch(path.name, glob)]
    for names, what in ((missed, "hold such events too, and are not"), (others, "hold something else, and are")):
        if names:
            detected.ignored.append(
                f"{len(names)} files such as {names[0]} {what} among those of files = {glob!r}: put them apart"
            )
    return detected


def _ending(path: Path) -> str:
    """Return the ending of a file's name, that of its compression too."""
    if path.suffix not in _PACKED:
        return path.suffix
    return "".join(path.suffixes[-2:]) if path.name[: -len(path.suffix)].lower().endswith(_TEXT) else path.suffix


def _add_unlike(detected: Detected, paths: Sequence[Path]) -> None:
    """Tell which Parquet files are no GA4 export, and what the first of them lacks."""
    if paths:
        there = parquet_schema(paths[0]).names
        lacks = [name for name in GA4_COLUMNS if name not in there]
        close = {name: get_close_matches(name, [each for each in there if each not in GA4_COLUMN_NAMES], n=1)
                 for name in lacks}  # fmt: skip
        named = ", ".join(f'{name} = "{found[0]}"' for name, found in close.items() if found) or 'NAME = "THEIRS"'
        detected.ignored.append(
            f"{len(paths)} Parquet files such as {paths[0].name}, which have no column {', '.join(lacks) or 'items'} "
            f"as GA4 has it; if it has another name there, say columns = {{ {named} }} under [events.reader]"
        )


def _add_other_headers(detected: Detected, paths: Sequence[Path]) -> None:
    """Tell which flat files lack a column that was taken for something in the first of them."""
    reader = reader_of("mapped", EventsConfig(source=".", reader=detected.settings["reader"]))
    lacks = {path.name: fault for path in paths if (fault := reader.fault_of(reader.columns_of(path)))}
    if lacks:
        first = next(iter(lacks))
        detected.ignored.append(
            f"{len(lacks)} files such as {first}, which have no column {lacks[first]} as {paths[0].name} has it: put "
            "them apart, as one shop has one mapping"
        )


def _add_event_names(detected: Detected, counts: dict[str, int]) -> None:
    """Say which event names are known, and propose folds and renames for those that can be guessed."""
    folds, renames = [], {}
    own = type(TypeAdapter(AnyReader).validate_python(detected.settings["reader"])).EVENT_NAMES
    told = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    for name, num in told[:_MOST_NAMES]:
        plain = name.strip().lower()
        if name in CANONICAL_EVENT_NAMES:
            detected.found.append(f"{num:,} {name} events")
        elif plain in FOLDED_BY_DEFAULT:
            into = FOLDED_BY_DEFAULT[plain]
            folds.append({"event_name": name, "into": into, "within_s": 2.0})
            detected.found.append(f"{num:,} {name} events: folded into the {into} within 2 s, else taken as {into}")
        elif name in own:
            detected.found.append(f"{num:,} {name} events: taken as {own[name]}")
        elif plain in CANONICAL_EVENT_NAMES:
            renames[name] = plain
            detected.found.append(f"{num:,} {name} events: taken as {plain}")
        elif plain in RENAMES:
            renames[name] = RENAMES[plain]
            detected.found.append(f"{num:,} {name} events: taken as {RENAMES[plain]}")
        elif name in AUTOMATIC_EVENT_NAMES:
            detected.ignored.append(f"{num:,} {name} events: they say nothing about an item")
        else:
            detected.ignored.append(
                f"{num:,} {_shown(name) or '(no name)'} events: unknown name, they go to quarantine"
            )
    if len(told) > _MOST_NAMES:
        detected.ignored.append(f"{len(told) - _MOST_NAMES:,} more names of events were not looked at")
    detected.settings.update({name: value for name, value in (("folds", folds), ("renames", renames)) if value})


def _shown(name: str) -> str:
    """Return a name as it may be shown: one that may name a person is hidden, a long one is cut."""
    return "(hidden)" if re.search(NAMES_A_PERSON, name) else name[:_LONGEST_NAME]


def _mapped(engine: Engine, folder: Path, paths: Sequence[Path], said: Mapping[str, str]) -> Detected:
    suffix = _ending(paths[0])
    same = [path for path in paths if path.name.endswith(suffix)]
    raw = _opened(engine, same[0])
    columns = [name for name in raw.columns if not name.startswith("_")]
    kinds = {name: raw[name].type() for name in columns}
    _check_said(said, columns, same[0])
    free = [name for name in columns if name not in said.values()]
    guessed = {**{name: column for name, column in guess_columns(free, kinds).items() if name not in said}, **said}
    if sum(any(name in guessed for name in names) for names in _SIGNS) < 2:
        raise _unknown(folder, paths, f"; the columns of {same[0].name} name no events: {', '.join(columns[:8])}")
    reader: dict[str, Any] = {"kind": "mapped", "files": f"*{suffix}", **guessed}
    detected = Detected("mapped", str(folder), {"reader": reader})
    detected.found.append(f"{len(same)} flat {suffix} files with the columns {', '.join(columns)}")
    detected.found.extend(f"column {column} is taken as {setting}" for setting, column in guessed.items())
    _add_unit(engine, raw, reader)
    _add_orders(detected, engine, raw, reader)
    if "event_name" in guessed:
        named = raw.group_by(name=raw[guessed["event_name"]].cast("string")).aggregate(num=raw.count()).limit(100)
        _add_event_names(detected, {row["name"] or "": row["num"] for row in engine.to_arrow(named).to_pylist()})
    detected.unsure.update({name: str(kinds[name]) for name in columns if name not in guessed.values()})
    if "time" in reader and any(name in reader for name in ("user_id", "device_id", "guest_from")):
        _add_other_headers(detected, same)
    return detected


def _add_unit(engine: Engine, raw: ibis.Table, reader: dict[str, Any]) -> None:
    """Settle the unit of times that are numbers, by how large most are: seconds pass 1e11 in the year 5138."""
    if "time" not in reader or raw[reader["time"]].type().is_timestamp():
        return
    latest = (
        engine.to_arrow(raw.aggregate(latest=raw[reader["time"]].try_cast("float64").median())).column(0)[0].as_py()
    )
    if latest:
        reader["time_unit"] = "s" if latest < 1e11 else "ms" if latest < 1e14 else "us"


def _check_said(said: Mapping[str, str], columns: Sequence[str], path: Path) -> None:
    """Refuse a column that is not there, and a setting that names no column."""
    known = [name for name in COLUMN_SETTINGS if name in MappedReader.model_fields]
    for setting, column in said.items():
        if setting not in known or column not in columns:
            what = f"no setting '{setting}'; {near(setting, known)}" if setting not in known else (
                f"no column '{column}'; {near(column, columns)}")  # fmt: skip
            raise SourceError(
                f"there is {what}",
                where=f"--columns {setting}={column}, file {path.name}",
                fix="write --columns time=COLUMN,item_id=COLUMN,user_id=COLUMN with columns of the file",
                code=Code.SOURCE_COLUMN,
            )


def _add_orders(detected: Detected, engine: Engine, raw: ibis.Table, reader: dict[str, Any]) -> None:
    """Settle what a row of a file without event names tells: an order line, and a return where pieces are negative."""
    order, quantity = reader.get("transaction_id"), reader.get("quantity")
    if order:
        if not _has_several_rows_an_id(engine, raw, reader.get("event_id")):
            reader["event_columns"] = [order]
        if not reader.get("device_id") and "event_name" not in reader:
            reader["guest_from"] = order
            detected.found.append(f"rows without a customer are guests, told apart by {order}")
    if "event_name" in reader:
        return
    least = None
    if quantity and raw[quantity].type().is_numeric():
        least = engine.to_arrow(raw.aggregate(least=raw[quantity].min())).column(0)[0].as_py()
    if least is not None and least < 0:
        above = {"event_name": "purchase", "when": [{"column": quantity, "above": 0}]}
        reader["rules"] = [above, {"event_name": "refund", "quantity": "absolute"}]
        detected.found.append(
            f"{quantity} is negative in places: rows are purchases where it is above 0, refunds elsewhere"
        )
    else:
        reader["constant_event_name"] = "purchase" if order else "view_item"
        detected.found.append(f"no column names the event: every row is taken as {reader['constant_event_name']}")


def _has_several_rows_an_id(engine: Engine, raw: ibis.Table, event_id: str | None) -> bool:
    """Return whether rows of one id differ: then ids tell which rows are one event, else they are ids of rows.

    A row that is there twice is no sign of it: it was delivered twice.
    """
    if event_id is None:
        return False
    rows = raw.select([name for name in raw.columns if not name.startswith("_")]).distinct()
    told = engine.to_arrow(
        rows.aggregate(num_rows=rows[event_id].count(), num_ids=rows[event_id].nunique())
    ).to_pylist()
    return bool(told[0]["num_ids"] < told[0]["num_rows"])


def _opened(engine: Engine, path: Path) -> ibis.Table:
    if path.suffix == ".parquet":
        parquet_schema(path)
        return engine.read_parquet([str(path)])
    table = read_csv(path) if plain_name(path).endswith(".csv") else read_json_lines(path)
    return engine.read_arrow(table.slice(0, _LOOKED_AT_ROWS))


def _glob(wide: str, wanted: Sequence[Path], files: Sequence[Path]) -> str:
    """Return a glob of the wanted files that takes in no other one, if there is one by how their names begin."""
    if all(path in wanted for path in files if fnmatch(path.name, wide)):
        return wide
    names = [path.name for path in wanted if fnmatch(path.name, wide)]
    start = commonprefix([name.split(".")[0] for name in names])  # noqa: RUF071 - of names, not of paths
    return names[0] if len(names) == 1 else start + wide


def _is_ga4(path: Path) -> bool:
    schema = parquet_schema(path)
    has_all = set(GA4_COLUMNS) <= set(schema.names)
    return has_all and pa.types.is_list(schema.field("items").type)


def _missing(what: str, folder: Path) -> SourceError:
    return SourceError(what, where=str(folder), fix="name the folder of the shop's export", code=Code.SOURCE_MISSING)


def _unknown(folder: Path, files: Sequence[Path], more: str = "") -> SourceError:
    kinds = Counter(path.suffix or "no ending" for path in files)
    told = ", ".join(f"{num} {kind}" for kind, num in sorted(kinds.items()))
    return SourceError(
        f"nothing in the folder is understood: {len(files)} files ({told}), such as {files[0].name}{more}",
        where=str(folder),
        fix="bring an export of docs/sources.md, or flat .parquet, .csv or .jsonl files with one row an event x item; "
        "name their columns with --columns time=COLUMN,item_id=COLUMN,user_id=COLUMN where they are not understood",
        code=Code.SOURCE_UNKNOWN,
    )
