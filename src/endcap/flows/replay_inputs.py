"""What the tables of a past version hold, by partition: digested anew from their files, so also whether that is so."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from endcap.core.contract import Table
from endcap.core.tables import TABLES
from endcap.engines.port import Engine
from endcap.flows.ledger import Part
from endcap.flows.replay_plan import ReplayPlan
from endcap.flows.run_manifest import versions_now
from endcap.flows.shop import write_atomically
from endcap.stores.tables import TableStore

__all__ = ["digest_past", "past_parts"]

_PARTITIONS_AT_ONCE = 7
"""A week of rows in the engine's memory, however long the history is."""


def past_parts(plan: ReplayPlan, past: TableStore, engine: Engine, note: Path) -> dict[str, dict[str, Part]]:
    """Return table -> partition -> what it held, of all that a replay reads and does not make again.

    Args:
        plan: Of the replay.
        past: The tables as they were.
        engine: Digests them.
        note: File in which each table's are kept once they are known: a version never changes.

    Raises:
        StoreError: A version, or a file of it, is no longer there (VERSION_GONE) or is damaged (TABLE_DAMAGED).
    """
    mark = {"versions": dict(plan.versions), "duckdb": versions_now()["duckdb"]}
    known = _noted(note, mark)
    for name in plan.read:
        if name not in known:
            owned = plan.owned.get(name, ())
            rest = [each for each in past.partitions(TABLES[name]) if each not in owned]
            known[name] = digest_past(past, engine, TABLES[name], rest)
            write_atomically(note, msgspec.json.encode({"mark": mark, "tables": known}))
    return {
        name: {partition: Part(digest, rows, plan.versions[name]) for partition, (digest, rows) in known[name].items()}
        for name in plan.read
    }


def _noted(note: Path, mark: Mapping[str, Any]) -> dict[str, dict[str, tuple[str, int]]]:
    try:
        told = msgspec.json.decode(note.read_bytes())
        return dict(told["tables"]) if told["mark"] == mark else {}
    except (OSError, KeyError, TypeError, msgspec.MsgspecError):
        return {}


def digest_past(
    past: TableStore, engine: Engine, table: Table, partitions: Sequence[str]
) -> dict[str, tuple[str, int]]:
    """Return partition -> digest and rows of what a table holds, of those that hold rows."""
    found: dict[str, tuple[str, int]] = {}
    for at in range(0, len(partitions), _PARTITIONS_AT_ONCE):
        some = partitions[at : at + _PARTITIONS_AT_ONCE]
        rows = engine.materialise(engine.read_snapshot(past.files(table, some), table))
        try:
            for partition, told in engine.partition_digests(rows, table).items():
                found[partition] = told["digest"], told["rows"]
        finally:
            engine.drop(rows)
    return found
