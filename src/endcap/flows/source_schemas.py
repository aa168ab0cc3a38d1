"""The versions of the source's schema as the ledger keeps them, and what a run tells of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from endcap.core.errors import EndcapError, SourceError
from endcap.events.config import EventsConfig
from endcap.events.files import SourceFile
from endcap.events.reader_config import Ga4Reader
from endcap.events.readers import reader_of
from endcap.events.refused import refusal, stopped_days
from endcap.events.source_schema import Change, SourceSchema, changes_between
from endcap.flows.flow import Flow
from endcap.flows.ledger import Ledger
from endcap.flows.left_out import refusal_of_days

__all__ = ["keep_schemas", "new_schemas_told", "refused_days", "refused_source", "schema_rows"]

_SHOWN = 4


def keep_schemas(flow: Flow, files: Sequence[SourceFile]) -> None:
    """Number the schemas that no file had before, in the order of the files' days."""
    known, config = flow.ledger.sources.schemas(), flow.shop.config.events
    version_of = {(each.source, each.digest): each.version for each in known}
    fresh: list[SourceSchema] = []
    before: dict[str, int] = {}
    for file in sorted(files, key=lambda each: (_day(each), each.name)):
        if not file.schema:
            continue
        mark = (file.source, file.schema)
        if mark not in version_of:
            version_of[mark] = 1 + max((number for (source, _), number in version_of.items() if source == file.source),
                                       default=0)  # fmt: skip
            columns = reader_of(file.source, config).columns_of(Path(file.path))
            fresh.append(
                SourceSchema(file.source, version_of[mark], columns, file.name, _day(file), before.get(file.source, 0),
                             flow.run_id)
            )  # fmt: skip
        before[file.source] = version_of[mark]
    if fresh:
        flow.ledger.sources.keep_schemas(fresh)


def new_schemas_told(flow: Flow) -> str:
    """Return a line about the versions that this run saw first, "" if there are none to compare with another."""
    known = flow.ledger.sources.schemas()
    told = []
    for each in known:
        if each.run_id == flow.run_id and each.before:
            changes = [str(change) for change in _changes(each, known, flow.shop.config.events)]
            more = f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
            told.append(f"schema version {each.version} since {each.file}: {', '.join(changes[:_SHOWN])}{more}")
    return "; ".join(told)


def refused_days(flow: Flow, through: str) -> dict[str, list[str]]:
    """Return the days up to `through` that wait, each with the names of the files that cannot be read.

    A day that was left out in this run because most of it is bad waits for no file of its own.
    """
    bad: dict[str, list[str]] = {day: [] for day in flow.left_out.get("ingest", {})}
    stopped = bad | _stopped_by_files(flow.ledger)
    return {day: names for day, names in sorted(stopped.items()) if day <= (through or day)}


def refused_source(flow: Flow, through: str) -> EndcapError | None:
    """Return the error of what could not be taken in: files that cannot be read, days that are mostly bad; if any."""
    left_out = {day: error for day, error in flow.left_out.get("ingest", {}).items() if day <= (through or day)}
    told = [error for error in (_refused_files(flow, through), left_out and refusal_of_days(left_out)) if error]
    if len(told) < 2:
        return told[0] if told else None
    first, second = told
    return type(first)(f"{first.what}; and {second.what}", where=first.where, fix=first.fix, code=first.code)


def _stopped_by_files(ledger: Ledger) -> dict[str, list[str]]:
    made_of = {day: output.get("files", {}) for day, output in ledger.outputs("ingest").items()}
    return stopped_days(ledger.sources.files(), made_of)


def _refused_files(flow: Flow, through: str) -> SourceError | None:
    days = {day: names for day, names in _stopped_by_files(flow.ledger).items() if day <= (through or day)}
    named = {name for names in days.values() for name in names}
    broken = [file for file in flow.ledger.sources.files() if file.broken and file.name in named]
    if not broken:
        return None
    return refusal(broken, flow.ledger.sources.schemas(), flow.shop.config.events, days=list(days))


def schema_rows(ledger: Ledger, config: EventsConfig) -> list[dict[str, Any]]:
    """Return a row for each version of the source's schema, ascending.

    Returns:
        `source`, `version`, `first_file`, `day`, `num_files` (that have it now), `num_refused` (of these, that cannot
        be read), `before` (the version it is compared with, 0 for none), `changes` (what, column, before, after) and
        `columns` (path -> type).
    """
    known, files = ledger.sources.schemas(), ledger.sources.files()
    rows = []
    for each in known:
        own = [file for file in files if (file.source, file.schema) == (each.source, each.digest)]
        rows.append(
            {
                "source": each.source,
                "version": each.version,
                "first_file": each.file,
                "day": each.day,
                "num_files": len(own),
                "num_refused": sum(bool(file.broken) for file in own),
                "before": each.before,
                "changes": [vars(change) | {"told": str(change)} for change in _changes(each, known, config)],
                "columns": dict(each.columns),
            }
        )
    return rows


def _changes(schema: SourceSchema, known: Sequence[SourceSchema], config: EventsConfig) -> list[Change]:
    names = config.reader.columns if isinstance(config.reader, Ga4Reader) else {}
    earlier = [each for each in known if (each.source, each.version) == (schema.source, schema.before)]
    return changes_between(earlier[0].columns, schema.columns, names) if earlier else []


def _day(file: SourceFile) -> str:
    return file.named_day or min(file.days, default="")
