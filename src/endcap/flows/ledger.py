"""The ledger: every attempt at every step with what went in, what came out, what it cost and how it ended."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import sqlalchemy as sa

from endcap.core.errors import Code, LedgerError
from endcap.flows.audit_log import AuditLog
from endcap.flows.cost import Cost
from endcap.flows.holder import is_held
from endcap.flows.known_sources import KnownSources
from endcap.flows.retry import Retry, in_ledger
from endcap.stores.catalog import Catalog, attempt, fact, lease, partition_state, table_part
from endcap.stores.tables import Fence

__all__ = ["AttemptStart", "Ledger", "Part", "Scope"]


@dataclass(frozen=True)
class Scope:
    """Whose rows they are.

    Args:
        organisation: Who owns the shop.
        project: The shop.
        region: Where its data may lie.
    """

    organisation: str
    project: str
    region: str


@dataclass(frozen=True)
class Part:
    """The content of one partition of a table.

    Args:
        digest: Digest of its rows; "" while it is being written.
        rows: Number of rows.
        version: Version of the table that wrote it.
    """

    digest: str
    rows: int
    version: int


@dataclass(frozen=True)
class AttemptStart:
    """What is known when an attempt begins.

    Args:
        run_id: The run it belongs to.
        actor: Who asked for it.
        step: Name of the step.
        fingerprints: Partition -> fingerprint, for the partitions to be done.
        inputs: Name of each input of any of them -> digest.
        config_digest: Digest of endcap.toml as understood.
        code_digest: Digest of the code that the step uses.
        code_version: Version of Endcap.
        queue_s: Seconds waited for the lease.
        retry: What the ledger shall say of a try after the first: `number`, `because`, `waited_s`.
    """

    run_id: str
    actor: str
    step: str
    fingerprints: Mapping[str, str]
    inputs: Mapping[str, str]
    config_digest: str
    code_digest: str
    code_version: str
    queue_s: float
    retry: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Ledger:
    """Reads and writes the ledger of one shop.

    Args:
        catalog: The database.
        scope: Whose rows they are.
        retry: When and how a transaction is tried again.
    """

    catalog: Catalog
    scope: Scope
    retry: Retry = field(default_factory=Retry)

    @property
    def sources(self) -> KnownSources:
        """What is known of the source's files."""
        return KnownSources(self.catalog, self.retry)

    @property
    def audit(self) -> AuditLog:
        """The audit log."""
        return AuditLog(self.catalog, self.retry)

    @in_ledger
    def fingerprints(self, step: str) -> dict[str, str]:
        """Return the fingerprint under which each partition of a step was last done."""
        query = sa.select(partition_state.c.partition, partition_state.c.fingerprint).where(
            partition_state.c.step == step
        )
        with self.catalog.begin() as connection:
            return {row.partition: row.fingerprint for row in connection.execute(query) if row.fingerprint}

    @in_ledger
    def outputs(self, step: str) -> dict[str, Any]:
        """Return what each partition of a step left behind besides tables."""
        query = sa.select(partition_state.c.partition, partition_state.c.output).where(partition_state.c.step == step)
        with self.catalog.begin() as connection:
            return {row.partition: row.output for row in connection.execute(query)}

    @in_ledger
    def forget(self, step: str) -> None:
        """Forget under which fingerprints a step was done, so that it is done again; its outputs stay known."""
        with self.catalog.begin() as connection:
            mine = sa.update(partition_state).where(partition_state.c.step == step)
            connection.execute(mine.values(fingerprint=""))

    @in_ledger
    def settled(self, name: str) -> str | None:
        """Return what was settled under a name, None if nothing was."""
        with self.catalog.begin() as connection:
            kept: str | None = connection.execute(
                sa.select(fact.c.value).where(fact.c.name == name)
            ).scalar_one_or_none()
        return kept

    @in_ledger
    def settle(self, name: str, value: str) -> None:
        """Keep a value for good; one that was kept before stays."""
        with self.catalog.begin() as connection:
            if connection.execute(sa.select(fact.c.value).where(fact.c.name == name)).scalar_one_or_none() is None:
                connection.execute(sa.insert(fact).values(name=name, value=value))

    @in_ledger
    def lose(self, table: str, steps: Sequence[str]) -> None:
        """Forget what a table held that is gone, and that the steps which write it were done."""
        with self.catalog.begin() as connection:
            connection.execute(sa.delete(table_part).where(table_part.c.table == table))
            connection.execute(
                sa.update(partition_state).where(partition_state.c.step.in_(steps)).values(fingerprint="")
            )

    @in_ledger
    def parts(self, table: str) -> dict[str, Part]:
        """Return what each partition of a table holds, ascending."""
        query = sa.select(table_part).where(table_part.c.table == table).order_by(table_part.c.partition)
        with self.catalog.begin() as connection:
            return {row.partition: Part(row.digest, row.rows, row.version) for row in connection.execute(query)}

    @in_ledger
    def start(self, first: AttemptStart, fence: Fence) -> int:
        """Write an attempt that begins, and mark those of dead runners as abandoned; return the attempt's number.

        Where it was written and the answer was lost, it is not written again: it would stay open for ever.
        """
        with self.catalog.begin() as connection:
            now_us = self.catalog.now_us(connection)
            stale = (attempt.c.step == first.step) & (attempt.c.outcome == "running") & (attempt.c.token < fence.token)
            connection.execute(sa.update(attempt).where(stale).values(outcome="abandoned", ended_at_us=now_us))
            if (begun := _begun_already(connection, first, fence)) is not None:
                return begun
            inserted = connection.execute(
                sa.insert(attempt).values(
                    run_id=first.run_id,
                    **asdict(self.scope),
                    actor=first.actor,
                    step=first.step,
                    partitions=sorted(first.fingerprints),
                    fingerprints=dict(first.fingerprints),
                    inputs=dict(first.inputs),
                    outputs={},
                    config_digest=first.config_digest,
                    code_digest=first.code_digest,
                    code_version=first.code_version,
                    token=fence.token,
                    queued_at_us=now_us - int(first.queue_s * 1_000_000),
                    started_at_us=now_us,
                    queue_s=round(first.queue_s, 4),
                    outcome="running",
                    detail={"retry": dict(first.retry)} if first.retry else {},
                )
            )
            (attempt_id,) = inserted.inserted_primary_key or (0,)
            return int(attempt_id)

    @in_ledger
    def abandon(self, run_id: str, step: str, partitions: Sequence[str]) -> None:
        """Mark an attempt of a run as abandoned whose process died while the run goes on."""
        with self.catalog.begin() as connection:
            running = (attempt.c.run_id == run_id) & (attempt.c.step == step) & (attempt.c.outcome == "running")
            for row in connection.execute(sa.select(attempt.c.attempt_id, attempt.c.partitions).where(running)).all():
                if row.partitions == sorted(partitions):
                    ended = sa.update(attempt).where(attempt.c.attempt_id == row.attempt_id)
                    connection.execute(ended.values(outcome="abandoned", ended_at_us=self.catalog.now_us(connection)))

    @in_ledger
    def writing(self, attempt_id: int, table: str, partitions: Sequence[str]) -> None:
        """Note that partitions are about to be written: until `wrote`, nobody knows what they hold.

        What the attempt does is no longer done, either, whatever the settings are when it is looked at next; what it
        left behind the last time stays known.

        Args:
            attempt_id: The attempt that writes.
            table: The table.
            partitions: Those of its partitions that are replaced.

        Raises:
            LedgerError: The attempt's lease was taken over (FENCED); nothing is noted.
        """
        rows = [
            {"table": table, "partition": partition, "digest": "", "rows": 0, "version": -1} for partition in partitions
        ]
        with self.catalog.begin() as connection:
            begun = self._held(connection, attempt_id)
            noted = {**begun.outputs, table: {"partitions": list(partitions)}}
            mine = sa.update(attempt).where(attempt.c.attempt_id == attempt_id)
            connection.execute(mine.values(outputs=noted))
            done = _states_of(begun, begun.partitions)
            connection.execute(sa.update(partition_state).where(done).values(fingerprint=""))
            _put_parts(connection, table, rows)

    @in_ledger
    def wrote(self, table: str, parts: Mapping[str, Part], *, attempt_id: int | None = None) -> None:
        """Note what partitions hold now.

        Args:
            table: The table.
            parts: Partition -> what it holds.
            attempt_id: The attempt that wrote; None where nobody else can.

        Raises:
            LedgerError: The attempt's lease was taken over (FENCED): the newer runner says what they hold.
        """
        rows = [{"table": table, "partition": partition, **asdict(part)} for partition, part in parts.items()]
        with self.catalog.begin() as connection:
            if attempt_id is not None:
                self._held(connection, attempt_id)
            _put_parts(connection, table, rows)

    @in_ledger
    def writer_of(self, table: str) -> str:
        """Return who holds the lease under which a table is being written just now, "" if nobody does."""
        running = sa.select(attempt.c.step, attempt.c.token, attempt.c.outputs).where(attempt.c.outcome == "running")
        mine = running.where((attempt.c.organisation == self.scope.organisation)
                             & (attempt.c.project == self.scope.project))  # fmt: skip
        with self.catalog.begin() as connection:
            now_us = self.catalog.now_us(connection)
            for each in connection.execute(mine).all():
                if table in each.outputs:
                    named = (lease.c.name == self.lease_name(each.step)) & (lease.c.token == each.token)
                    holder = connection.execute(sa.select(lease).where(named)).one_or_none()
                    if holder is not None and is_held(holder, now_us):
                        return str(holder.holder)
        return ""

    @in_ledger
    def moved(self, table: str, parts: Mapping[str, Part], version: int) -> None:
        """Note that partitions lie in a newer version with the same content.

        One that another writer has noted meanwhile stays as it says: whoever moved it may have slept since.
        """
        with self.catalog.begin() as connection:
            for partition, part in parts.items():
                same = (table_part.c.digest == part.digest) & (table_part.c.version == part.version)
                mine = (table_part.c.table == table) & (table_part.c.partition == partition) & same
                connection.execute(sa.update(table_part).where(mine).values(version=version))

    def lease_name(self, step: str) -> str:
        """Return the name under which a step of the shop is leased."""
        return f"{self.scope.organisation}/{self.scope.project}/{step}"

    @in_ledger
    def check_held(self, attempt_id: int) -> None:
        """Check that an attempt's lease is still its own, before something is put in force.

        Raises:
            LedgerError: It was taken over (FENCED).
        """
        with self.catalog.begin() as connection:
            self._held(connection, attempt_id)

    def _held(self, connection: sa.Connection, attempt_id: int) -> Any:
        """Return the row of an attempt whose lease nobody has taken over."""
        begun = connection.execute(sa.select(attempt).where(attempt.c.attempt_id == attempt_id)).one()
        name = self.lease_name(begun.step)
        newest = connection.execute(sa.select(lease.c.token).where(lease.c.name == name)).scalar_one_or_none()
        if newest is not None and newest > begun.token:
            raise LedgerError(
                f"this runner's lease {begun.token} was taken over by lease {newest}, nothing was written",
                where=name,
                fix="nothing: the newer runner does the work; look with `endcap show runs`",
                code=Code.FENCED,
            )
        return begun

    @in_ledger
    def finish(
        self,
        attempt_id: int,
        *,
        output: Mapping[str, Any],
        ending: Mapping[str, Any],
        cost: Cost,
        left_out: Collection[str] = (),
    ) -> None:
        """Write that an attempt is done: from now on its partitions are in force under their fingerprints.

        Args:
            attempt_id: The attempt.
            output: Partition -> what it left behind besides tables.
            left_out: Partitions that were refused by themselves: they are not done, and what they left behind the last
                time stays known.
            ending: `outputs`, `rows_in`, `rows_out` and `detail` of the attempt.
            cost: What it cost.

        Raises:
            LedgerError: The attempt's lease was taken over (FENCED); what was in force stays in force.
        """
        with self.catalog.begin() as connection:
            begun = self._held(connection, attempt_id)
            done = [partition for partition in begun.partitions if partition not in left_out]
            connection.execute(sa.delete(partition_state).where(_states_of(begun, done)))
            rows = [
                {
                    "step": begun.step,
                    "partition": partition,
                    "fingerprint": begun.fingerprints[partition],
                    "attempt_id": attempt_id,
                    "output": output.get(partition, {}),
                }
                for partition in done
            ]
            if rows:
                connection.execute(sa.insert(partition_state), rows)
            self._end(connection, attempt_id, cost, outcome="done", **ending)

    @in_ledger
    def stand_back(self, attempt_id: int, *, cost: Cost) -> None:
        """Write that an attempt had nothing to do: while it waited, another runner has done it."""
        with self.catalog.begin() as connection:
            self._end(connection, attempt_id, cost, outcome="unchanged")

    @in_ledger
    def fail(self, attempt_id: int, *, code: str, error: str, cost: Cost) -> None:
        """Write that an attempt failed; what was in force stays in force."""
        with self.catalog.begin() as connection:
            self._end(connection, attempt_id, cost, outcome="failed", error_code=code, error=error)

    def _end(self, connection: sa.Connection, attempt_id: int, cost: Cost, **values: Any) -> None:
        ended = sa.update(attempt).where(attempt.c.attempt_id == attempt_id)
        connection.execute(ended.values(ended_at_us=self.catalog.now_us(connection), **asdict(cost), **values))

    @in_ledger
    def attempts(self, *, limit: int = 50, run_id: str | None = None) -> list[dict[str, Any]]:
        """Return the latest attempts, newest first."""
        query = sa.select(attempt).order_by(attempt.c.attempt_id.desc()).limit(limit)
        if run_id is not None:
            query = query.where(attempt.c.run_id == run_id)
        with self.catalog.begin() as connection:
            return [dict(row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - SQLAlchemy's public name

    @in_ledger
    def last_attempts(self, step: str) -> dict[str, dict[str, Any]]:
        """Return for each partition of a step the attempt by which it was last done."""
        joined = sa.select(partition_state.c.partition, attempt).join(
            attempt, partition_state.c.attempt_id == attempt.c.attempt_id
        )
        with self.catalog.begin() as connection:
            found = connection.execute(joined.where(partition_state.c.step == step)).mappings().all()
        return {row["partition"]: dict(row) for row in found}

    @in_ledger
    def done_attempts(self, step: str, *, limit: int = 20) -> list[dict[str, Any]]:
        """Return the latest attempts at a step that were done, newest first: what it costs."""
        query = sa.select(attempt).where((attempt.c.step == step) & (attempt.c.outcome == "done"))
        with self.catalog.begin() as connection:
            rows = connection.execute(query.order_by(attempt.c.attempt_id.desc()).limit(limit)).mappings().all()
        return [dict(row) for row in rows]


def _begun_already(connection: sa.Connection, first: AttemptStart, fence: Fence) -> int | None:
    """Return the open attempt of the same run and lease at the same partitions: nobody begins one beside it."""
    mine = (attempt.c.run_id == first.run_id) & (attempt.c.step == first.step) & (attempt.c.token == fence.token)
    is_open = sa.select(attempt.c.attempt_id, attempt.c.fingerprints).where(mine & (attempt.c.outcome == "running"))
    for row in connection.execute(is_open):
        if row.fingerprints == dict(first.fingerprints):
            return int(row.attempt_id)
    return None


def _states_of(begun: Any, partitions: Sequence[str]) -> sa.ColumnElement[bool]:
    """Choose what is known of partitions of an attempt."""
    return sa.and_(partition_state.c.step == begun.step, partition_state.c.partition.in_(partitions))


def _put_parts(connection: sa.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    named = [row["partition"] for row in rows]
    connection.execute(sa.delete(table_part).where((table_part.c.table == table) & table_part.c.partition.in_(named)))
    connection.execute(sa.insert(table_part), rows)
