"""Which versions of tables stay readable, and when the files of the others go.

The one written rule. A version of a table stays readable while any of these holds:

1. it is the latest one;
2. a manifest names it (`runs/<run id>.json` of any machine that shares the lake, or the manifest of a bundle) whose
   state `erasure` is `complete`;
3. the ledger names it as what a partition was last written by;
4. it was the latest one at any time within the last `stores.keep_versions_days`.

All other versions go. With them go the data files that no kept version names, among them what dead attempts left;
but no file that was written, or taken out of the table, within the last 24 hours (`stores.tables.SAFETY_HOURS`).

Forgetting a person writes new versions, and gives each manifest that named old ones the state `erased(n)`: from then on
that manifest keeps nothing. Logs of tables are never cut, for a version without its log entry cannot be read. Where a
manifest cannot be read, nothing goes: it might name anything.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from endcap.core.errors import BundleError, LedgerError
from endcap.core.manifest import RunManifest, parse_run_manifest
from endcap.core.tables import TABLES
from endcap.flows.flow import Flow
from endcap.flows.shop import Shop, write_atomically

__all__ = ["COMPLETE", "Vacuumed", "kept_versions", "named_versions", "vacuum", "vacuum_when_due"]

COMPLETE = "complete"
"""State of a manifest all of whose rows are still there."""

_DAY_US = 86_400_000_000
_DUE_AFTER_US = 7 * _DAY_US
"""A vacuum lists every folder and opens every version that is kept: once a week is enough for a refresh."""


@dataclass(frozen=True)
class Vacuumed:
    """What a vacuum did to a table, or would do.

    Args:
        table: Its name.
        versions_kept: Versions that stay readable.
        files_removed: Data files that went, or would go.
    """

    table: str
    versions_kept: int
    files_removed: int


def kept_versions(made_at_us: Mapping[int, int], named: Collection[int], *, since_us: int) -> set[int]:
    """Return the versions of one table that stay readable.

    Args:
        made_at_us: Version -> when it was made, for all versions that the log knows.
        named: Versions that manifests and the ledger name.
        since_us: Versions that were the latest at any time from this instant on stay.

    Example:
        >>> sorted(kept_versions({0: 10, 1: 20, 2: 30, 3: 40}, {0}, since_us=35))
        [0, 2, 3]
    """
    order = sorted(made_at_us)
    ended_us = {version: made_at_us[later] for version, later in pairwise(order)}
    recent = {version for version in order if version not in ended_us or ended_us[version] >= since_us}
    return recent | (set(named) & set(order))


def named_versions(flow: Flow) -> dict[str, set[int]] | None:
    """Return table -> versions that complete manifests of any machine name; None where one of them cannot be read.

    Raises:
        StoreError: The bucket in which manifests lie cannot be read (STORAGE_...).
    """
    named: dict[str, set[int]] = {}
    try:
        for place in flow.runs:
            for run_id, text in place.read_all().items():
                for table, version in _named_by(parse_run_manifest(text, where=f"{place.where}/{run_id}.json")):
                    named.setdefault(table, set()).add(version)
        for bundle in flow.bundles.manifests():
            for snapshot in bundle.snapshots if bundle.erasure == COMPLETE else []:
                named.setdefault(snapshot.table, set()).add(snapshot.version)
    except (LedgerError, BundleError):
        return None
    return named


def _named_by(run: RunManifest) -> Iterator[tuple[str, int]]:
    if run.erasure != COMPLETE:
        return
    for attempt in run.attempts:
        for table, output in attempt["outputs"].items():
            if "version" in output:  # an attempt that died while it wrote names its partitions alone
                yield table, output["version"]
    for snapshot in run.tables:
        yield snapshot.table, snapshot.version


def vacuum(flow: Flow, *, dry_run: bool = False) -> list[Vacuumed] | None:
    """Remove the data files of versions that need not stay, by the rule above; None where a manifest is unreadable."""
    named = named_versions(flow)
    if named is None:
        return None
    since_us = flow.now_us - flow.shop.config.stores.keep_versions_days * _DAY_US
    result = []
    for table in TABLES.values():
        made_at_us = flow.tables.versions(table)
        if not made_at_us:
            continue
        in_ledger = {part.version for part in flow.ledger.parts(table.name).values()}
        kept = kept_versions(made_at_us, named.get(table.name, set()) | in_ledger, since_us=since_us)
        gone = flow.tables.vacuum(table, keep=kept, dry_run=dry_run)
        result.append(Vacuumed(table.name, len(kept), len(gone)))
    if not dry_run:
        write_atomically(_mark(flow.shop), str(flow.now_us).encode())
    return result


def vacuum_when_due(flow: Flow) -> list[Vacuumed] | None:
    """Vacuum if the last time was more than a week ago; the first refresh of a shop only sets the date."""
    mark = _mark(flow.shop)
    if not mark.exists():
        write_atomically(mark, str(flow.now_us).encode())
        return None
    if flow.now_us - int(mark.read_bytes() or b"0") < _DUE_AFTER_US:
        return None
    return vacuum(flow)


def _mark(shop: Shop) -> Path:
    return shop.root / ".vacuumed"
