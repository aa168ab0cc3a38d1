"""`endcap show`."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from endcap.cli.quality_text import quality_text
from endcap.cli.table import table
from endcap.core.clock import system_clock
from endcap.core.errors import Code, UsageError, near
from endcap.core.manifest import read_manifest
from endcap.flows.intake import intake_rows
from endcap.flows.ledger import Ledger
from endcap.flows.quality_steps import quality_of
from endcap.flows.shop import Shop, find_shop
from endcap.flows.source_schemas import schema_rows
from endcap.flows.wiring.batch import open_flow, open_ledger
from endcap.flows.wiring.stores import open_shared_runs, pull_bundle
from endcap.governance.access import Action, local_actor, require
from endcap.stores.runs import FolderOfRuns

__all__ = ["show"]

_SHORTEST_S = 0.05
"""A shorter wait is none: the lease was free."""


def show(
    what: str,
    shop: Path,
    *,
    limit: Annotated[int, Parameter(validator=Number(gte=1))] = 30,
    day: str = "",
    json_wanted: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Show what is there: bundle, run, runs, intake, schema, quality, evaluation, health, audit.

    bundle: the manifest of the bundle in force. run: the manifest of the latest run that had something to do. runs:
    what each step did and cost. intake: what became of every row of the source, by event name and reason. schema: the
    versions of the export's columns, and what changed from one to the next. quality: whether a day's data is as usual,
    and its numbers; `reports/quality.html` shows the last day with plots. evaluation, health: the latest reports.
    audit: who did what.

    Args:
        what: One of these words.
        shop: The shop's folder.
        limit: At most so many rows of runs and audit.
        day: For quality alone: the day, YYYY-MM-DD; the last one by default.
        json_wanted: Print one JSON value and nothing else.
    """
    if what not in _VIEWS:
        raise UsageError(
            f"there is nothing called '{what}' to show; {near(what, _VIEWS)}",
            where="endcap show",
            fix="`endcap show bundle SHOP`, for instance",
            code=Code.USAGE,
        )
    if day and what != "quality":
        raise UsageError(
            f"--day chooses a day of quality, and '{what}' has none to choose",
            where="endcap show",
            fix=f"leave --day out, or `endcap show quality {shop} --day {day}`",
            code=Code.USAGE,
        )
    opened = find_shop(shop)
    action = Action.AUDIT_READ if what == "audit" else Action.SHOP_READ
    with open_ledger(opened) as ledger:
        require(local_actor(), action, opened.resource(what), audit=ledger.audit, at_us=system_clock())
        view = partial(_quality, day) if what == "quality" else _VIEWS[what]
        value, text = view(opened, ledger, limit)
    print(json.dumps(value) if json_wanted else text)


def _bundle(shop: Shop, _ledger: Ledger, _limit: int) -> tuple[Any, str]:
    pull_bundle(shop)
    manifest = read_manifest(shop.bundles / (shop.bundle_in_force() or "none"))
    value = msgspec.to_builtins(manifest)
    rows = [[name, str(each)] for name, each in value.items()
            if name not in ("files", "metrics", "models", "snapshots", "created_at_us")]  # fmt: skip
    rows.append(["created", _when(manifest.created_at_us)])
    models = [[entry.name, entry.kind, entry.version, "yes" if entry.vectors else "no"] for entry in manifest.models]
    snapshots = [[ref.table, ref.version, ref.schema, ref.rows, ref.digest[:16]] for ref in manifest.snapshots]
    return value, "\n\n".join(
        [
            table(["what", "value"], rows),
            table(["model", "kind", "version", "index"], models),
            table(["table", "version", "schema", "rows", "digest"], snapshots),
        ]
    )


def _run(shop: Shop, ledger: Ledger, _limit: int) -> tuple[Any, str]:
    latest = next((row["run_id"] for row in ledger.attempts(limit=1)), "none")
    places = [FolderOfRuns(shop.runs), *filter(None, [open_shared_runs(shop)])]
    text = next((found for place in places if (found := place.read(latest)) is not None), None)
    if text is None:
        raise UsageError(
            "the latest run has left no manifest: it still goes on or was killed, or there was none yet",
            where=f"{shop.runs / latest}.json",
            fix=f"`endcap show runs {shop.root}` shows its steps; `endcap refresh {shop.root}` completes it",
            code=Code.USAGE,
        )
    return json.loads(text), text.decode().rstrip("\n")


def _runs(_shop: Shop, ledger: Ledger, limit: int) -> tuple[Any, str]:
    attempts = ledger.attempts(limit=limit)
    rows = [
        [
            _when(row["started_at_us"]), row["run_id"], row["step"], row["outcome"], len(row["partitions"]),
            row["wall_s"], row["cpu_s"], (row["peak_rss_bytes"] or 0) // 2**20, row["rows_in"], row["rows_out"],
            _waited(row), row["error_code"] or "",
        ]
        for row in attempts
    ]  # fmt: skip
    heads = [
        "started",
        "run",
        "step",
        "outcome",
        "partitions",
        "wall s",
        "CPU s",
        "peak MiB",
        "rows in",
        "rows out",
        "waited",
        "error",
    ]
    return attempts, table(heads, rows)


def _waited(row: dict[str, Any]) -> str:
    """Return how long an attempt waited for another runner, and whether it is a second try, and why.

    >>> _waited({"queue_s": 3.21, "detail": {"retry": {"number": 2, "because": "commit-conflict"}}})
    '3.2 s; try 2: commit-conflict'
    """
    waited = f"{row['queue_s']:.1f} s" if row["queue_s"] >= _SHORTEST_S else ""
    again = row["detail"].get("retry")
    return "; ".join(each for each in (waited, again and f"try {again['number']}: {again['because']}") if each)


def _intake(_shop: Shop, ledger: Ledger, _limit: int) -> tuple[Any, str]:
    rows = intake_rows(ledger)
    heads = list(rows[0]) if rows else ["event_name"]
    return rows, table(heads, [[row[head] for head in heads] for row in rows])


def _quality(day: str, shop: Shop, _ledger: Ledger, _limit: int) -> tuple[Any, str]:
    with open_flow(shop, through="", progress=lambda _report: None) as flow:
        found = quality_of(flow, day)
    return msgspec.to_builtins(found), quality_text(found)


def _schema(shop: Shop, ledger: Ledger, _limit: int) -> tuple[Any, str]:
    rows = schema_rows(ledger, shop.config.events)
    told = [[row["source"], row["version"], row["first_file"], row["day"], len(row["columns"]), row["num_files"],
             row["num_refused"]] for row in rows]  # fmt: skip
    lines = [table(["source", "version", "since", "day", "columns", "files", "refused"], told)]
    for row in rows:
        if row["before"]:
            changes = [f"  {change['told']}" for change in row["changes"]]
            lines += ["", f"{row['source']} version {row['version']}, after version {row['before']}:", *changes]
    return rows, "\n".join(lines)


def _when(at_us: int) -> str:
    """Return an instant as people read it, UTC."""
    return datetime.fromtimestamp(at_us / 1e6, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def _report(name: str) -> Callable[[Shop, Ledger, int], tuple[Any, str]]:
    def view(shop: Shop, _ledger: Ledger, _limit: int) -> tuple[Any, str]:
        path = shop.reports / f"{name}.json"
        if not path.exists():
            raise UsageError(
                f"there is no {name} yet", where=str(path), fix=f"run `endcap refresh {shop.root}`", code=Code.USAGE
            )
        text = path.with_suffix(".txt")
        return json.loads(path.read_bytes()), text.read_text(encoding="utf-8").rstrip("\n")

    return view


def _audit(_shop: Shop, ledger: Ledger, limit: int) -> tuple[Any, str]:
    rows = ledger.audit.rows(limit=limit)
    told = [[_when(row["at_us"]), row["actor"], row["action"], row["resource"], row["outcome"]] for row in rows]
    return rows, table(["at", "actor", "action", "resource", "outcome"], told)


_VIEWS: dict[str, Callable[[Shop, Ledger, int], tuple[Any, str]]] = {
    "audit": _audit,
    "bundle": _bundle,
    "evaluation": _report("evaluation"),
    "health": _report("health"),
    "intake": _intake,
    "quality": partial(_quality, ""),
    "run": _run,
    "runs": _runs,
    "schema": _schema,
}
