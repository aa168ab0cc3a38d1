"""Compaction: many small files of a table become few, clustered by person, without a change of what the table holds.

It holds the leases of every step that writes the table, so that a refresh beside it waits or is waited for, and
commits with all their fences, so that a writer that slept through it is refused as late. Digests in the ledger stay
as they are; a partition whose rows are not what the ledger says of it (its writer died, its contract is an older one)
is left alone: the refresh that mends it writes it anew anyway.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from endcap.core.contract import Table
from endcap.core.errors import Code, LedgerError
from endcap.core.tables import TABLES
from endcap.flows.flow import Flow
from endcap.flows.lease import held
from endcap.flows.steps import STEPS
from endcap.stores.tables import Fence

__all__ = ["Compacted", "clean_dead_attempts", "compact_table", "compact_where_needed"]

_BATCH_BYTES = 1_000_000_000
"""Bytes of files that are read and committed at once: a run that is stopped loses at most that much work."""


@dataclass(frozen=True)
class Compacted:
    """What compaction did to a table, or would do.

    Args:
        table: Its name.
        state: done, planned (a dry run), unchanged (nothing to do) or held (another run writes it now).
        partitions: Partitions put together, or to be.
        files_before: Data files of the latest version before.
        files_after: Data files after; equal to `files_before` unless done.
    """

    table: str
    state: str
    partitions: int
    files_before: int
    files_after: int


def compact_where_needed(
    flow: Flow,
    tables: Iterable[Table] = tuple(TABLES.values()),
    *,
    dry_run: bool = False,
    wait_s: float | None = 0.0,
) -> list[Compacted]:
    """Put together the small files of tables where the rule of `[stores]` asks for it.

    Args:
        flow: The run.
        tables: The tables looked at.
        dry_run: Tell what would be done and do nothing.
        wait_s: How long to wait for a run that writes a table now; after it, the table is left for the next time.

    Returns:
        One entry for each of them that was ever written.
    """
    return [
        compact_table(flow, table, dry_run=dry_run, wait_s=wait_s)
        for table in tables
        if flow.tables.version(table) >= 0
    ]


def clean_dead_attempts(flow: Flow, tables: Iterable[Table]) -> list[str]:
    """Remove the files that executors wrote in attempts which died before their commit; return table/path of each.

    Only where the engine is one whose executors write. A table that another run writes now is left for the next time.
    """
    if flow.shop.config.engine.name != "spark":
        return []
    gone = []
    for table in tables:
        try:
            with ExitStack() as stack:
                for fence in _hold_all(flow, table, stack, 0.0):
                    gone += [f"{table.name}/{path}" for path in flow.tables.clean(table, fence=fence)]
        except LedgerError as error:
            if error.code not in {Code.STEP_HELD, Code.FENCED}:
                raise
    return gone


def compact_table(flow: Flow, table: Table, *, dry_run: bool = False, wait_s: float | None = 0.0) -> Compacted:
    """Put together the small files of one table's partitions that hold `stores.compact_files` of them or more."""
    before = flow.tables.file_sizes(table)
    total = sum(map(len, before.values()))
    needed = _needed(flow, before)
    if not needed or dry_run:
        return Compacted(table.name, "planned" if needed else "unchanged", len(needed), total, total)
    try:
        with ExitStack() as stack:
            fences = _hold_all(flow, table, stack, wait_s)
            before = flow.tables.file_sizes(table)  # again: while we waited, another run may have written it
            needed = _needed(flow, before)
            done = sum(_rearrange(flow, table, batch, fences) for batch in _batches(needed, before))
    except LedgerError as error:
        if error.code not in {Code.STEP_HELD, Code.FENCED, Code.COMMIT_CONFLICT}:
            raise
        return Compacted(table.name, "held", len(needed), total, total)
    after = sum(map(len, flow.tables.file_sizes(table).values()))
    return Compacted(table.name, "done" if done else "unchanged", done, sum(map(len, before.values())), after)


def _needed(flow: Flow, sizes: dict[str, list[int]]) -> list[str]:
    settings = flow.shop.config.stores
    limit = settings.small_file_mb * 1e6
    return [name for name, found in sizes.items() if sum(size < limit for size in found) >= settings.compact_files]


def _hold_all(flow: Flow, table: Table, stack: ExitStack, wait_s: float | None) -> list[Fence]:
    """Take the leases of all steps that write a table, in the order of STEPS: two of us never block each other."""
    names = [flow.ledger.lease_name(step.name) for step in STEPS if table in step.writes]
    return [stack.enter_context(held(flow.ledger.catalog, name, wait_s=wait_s)).fence for name in names]


def _batches(partitions: Sequence[str], sizes: dict[str, list[int]]) -> Iterator[list[str]]:
    """Cut partitions into batches of about `_BATCH_BYTES`; one that is larger alone stands alone."""
    batch: list[str] = []
    for partition in partitions:
        if batch and sum(sum(sizes[each]) for each in [*batch, partition]) > _BATCH_BYTES:
            yield batch
            batch = []
        batch.append(partition)
    if batch:
        yield batch


def _rearrange(flow: Flow, table: Table, partitions: list[str], fences: Sequence[Fence]) -> int:
    """Write the rows of partitions anew, those alone that hold what the ledger says; return how many that were."""
    engine = flow.engine
    rows = engine.materialise(flow.read(table, partitions if table.partition else None))
    try:
        found = engine.partition_digests(rows, table)
        parts = flow.ledger.parts(table.name)
        true = [each for each in partitions if each in parts and each in found
                and parts[each].digest == found[each]["digest"]]  # fmt: skip
        if not true:
            return 0
        wanted = rows.filter(rows[table.partition].isin(true)) if table.partition else rows
        with closing(engine.stream(wanted.order_by(_order(table)))) as stream:
            version = flow.tables.rearrange(table, true, stream, fences=fences)
        flow.ledger.moved(table.name, {each: parts[each] for each in true}, version)
        return len(true)
    finally:
        engine.drop(rows)


def _order(table: Table) -> list[str]:
    """Return the order of rows in files: by partition, then by person, then by the table's key."""
    person = [column.name for column in table.columns if column.names_user and not column.nullable]
    leading = [table.partition] if table.partition else []
    return list(dict.fromkeys([*leading, *person[:1], *table.key]))
