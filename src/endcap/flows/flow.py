"""What a running flow holds: the shop, its stores and engine, what was asked for, and how progress is told."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import ibis

from endcap.core.contract import Table
from endcap.core.errors import Code, DataError, EndcapError
from endcap.engines.port import Engine
from endcap.flows.holder import told
from endcap.flows.ledger import Ledger, Part
from endcap.flows.shop import Shop
from endcap.governance.access import Action, Actor
from endcap.stores.bundles import BundlePlace, FolderOfBundles
from endcap.stores.objects import Objects
from endcap.stores.query import Query
from endcap.stores.raw_ids import RawIds
from endcap.stores.runs import FolderOfRuns, RunPlace
from endcap.stores.tables import TableStore
from endcap.stores.tracking import Tracking

if TYPE_CHECKING:  # it tells steps and reports, which are made here
    from endcap.flows.workers import Workers

__all__ = ["Choose", "Flow", "Outcome", "Pending", "Places", "Progress", "Step", "StepReport", "Trouble"]

_LOOK_AGAIN_S = 0.1


@dataclass(frozen=True)
class StepReport:
    """How one step of a run went.

    Args:
        step: Its name.
        state: waiting (for another runner), again (it failed and is tried again), started, under way (`note` says how
            far), done or unchanged (nothing had to be done).
        partitions: How many partitions were to be done.
        seconds: How long it took.
        rows: How many rows it wrote.
        note: One line about what came out.
    """

    step: str
    state: str
    partitions: int = 0
    seconds: float = 0.0
    rows: int = 0
    note: str = ""


Progress = Callable[[StepReport], None]

Pending = dict[str, dict[str, str]]
"""Partition -> name of each input -> digest of its content."""

Choose = Callable[["Flow", "Step", Pending], Collection[str]]


@dataclass
class Trouble:
    """What failed in a run that goes on, and what waits for it.

    Args:
        failed: Step -> partition -> why.
        waiting: Step -> partition -> what it waits for.
        tables: Partitions of tables, as `table/partition`, that are not what they should be.
    """

    failed: dict[str, dict[str, EndcapError]] = field(default_factory=dict)
    waiting: dict[str, dict[str, str]] = field(default_factory=dict)
    tables: dict[str, str] = field(default_factory=dict)

    def fail(self, step: "Step", partition: str, error: EndcapError) -> None:
        """Note that a partition of a step failed."""
        self.failed.setdefault(step.name, {})[partition] = error
        self._spoil(step, partition, f"{step.name} {partition}".strip())

    def wait(self, step: "Step", partition: str, cause: str) -> None:
        """Note that a partition of a step waits for one that failed."""
        self.waiting.setdefault(step.name, {})[partition] = cause
        self._spoil(step, partition, cause)

    def _spoil(self, step: "Step", partition: str, cause: str) -> None:
        for table in step.writes:
            self.tables.setdefault(f"{table.name}/{partition}", cause)


@dataclass
class Outcome:
    """What a step hands to the runner.

    Args:
        tables: Contracted tables to be written, by name: rows of the pending partitions only.
        partitions: For tables whose partitions are not the step's own: the partitions to be replaced.
        output: Partition -> what it leaves behind besides tables, as plain values.
        detail: What the ledger shall tell about the attempt.
        note: One line for the user.
        checks: Table -> what must be true of its rows beyond the contract; raises before anything of it is written.
        left_out: Partition that the step refuses by itself -> why. It stays as it was and pending, the others are done.
        release: Called when the tables are written: lets go of what they stand on.
        put_in_force: Called last, while the lease is still held: makes what was done count for others.
    """

    tables: dict[str, ibis.Table] = field(default_factory=dict)
    partitions: dict[str, list[str]] = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)
    detail: dict[str, Any] = field(default_factory=dict)
    note: str = ""
    checks: dict[str, Callable[[ibis.Table], None]] = field(default_factory=dict)
    left_out: dict[str, EndcapError] = field(default_factory=dict)
    release: Callable[[], None] = lambda: None
    put_in_force: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Places:
    """The places from which a shop's events are pulled; opened only if endcap.toml names them.

    Args:
        open_query: Opens the query of `[events.database]`.
        open_objects: Opens the object store of `events.source`.
    """

    open_query: Callable[[], AbstractContextManager[Query]]
    open_objects: Callable[[], Objects]


@dataclass
class Flow:
    """One run over one shop.

    Args:
        shop: The shop.
        ledger: Its ledger.
        tables: Its table store.
        make_engine: Makes the engine; called when a step first needs it.
        make_raw_ids: Opens the store of raw ids; likewise.
        places: Where events are pulled from.
        through: Last day to be done; "" for the last day that has data.
        run_id: Id of the run.
        now_us: The instant the run began.
        actor: Who asked for it.
        progress: Is told how each step goes.
        wait_s: How long to wait for a step that another runner does, seconds; None for as long as that one lives.
        again: Steps that the user has asked to be done anew, from what is there now.
        workers: Processes for steps whose days do not depend on each other; None where this process does all.
        choose: Which of the pending partitions of a step are to be done; None for all.
        trouble: Keeps what failed while all else goes on; None where the first failure ends the run.
        holds_back: Whether a bundle that is made is not put in force.
        shares_lease: Whether other processes of this machine write under the same right at the same time.
        left_out: Step -> partitions that it refused by themselves in this run, and why.
        make_bundles: Opens the place of the bundles; None for the shop's folder.
        shared_runs: Where the manifests of all machines' runs lie, where several share the lake; None where one has it.
        check_stores: Tries all that a run will ask of the stores, where that can fail late and dear.
        make_tracking: Opens the server that fits are mirrored to, where endcap.toml names one; asks it nothing.
    """

    shop: Shop
    ledger: Ledger
    tables: TableStore
    make_engine: Callable[[], Engine]
    make_raw_ids: Callable[[], RawIds]
    places: Places
    through: str
    run_id: str
    now_us: int
    actor: Actor
    progress: Progress
    wait_s: float | None = None
    again: frozenset[str] = frozenset()
    workers: "Workers | None" = None
    choose: "Choose | None" = None
    trouble: "Trouble | None" = None
    holds_back: bool = False
    shares_lease: bool = False
    left_out: dict[str, dict[str, EndcapError]] = field(default_factory=dict)
    make_bundles: Callable[[], BundlePlace] | None = None
    shared_runs: RunPlace | None = None
    check_stores: Callable[[], None] = lambda: None
    make_tracking: Callable[[], Tracking] | None = None
    _bundles: BundlePlace | None = None
    _engine: Engine | None = None
    _raw_ids: RawIds | None = None

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return self.shop.config.shop.seed

    @property
    def engine(self) -> Engine:
        """The engine, made on first use: a run in which nothing changed never loads it."""
        if self._engine is None:
            self._engine = self.make_engine()
        return self._engine

    @property
    def bundles(self) -> BundlePlace:
        """The place of the bundles, opened on first use."""
        if self._bundles is None:
            self._bundles = self.make_bundles() if self.make_bundles else FolderOfBundles(self.shop.bundles)
        return self._bundles

    @property
    def runs(self) -> list[RunPlace]:
        """The places of the manifests of runs, this machine's first."""
        return [FolderOfRuns(self.shop.runs), *([self.shared_runs] if self.shared_runs else [])]

    @property
    def raw_ids(self) -> RawIds:
        """The store of raw ids, opened on first use."""
        if self._raw_ids is None:
            self._raw_ids = self.make_raw_ids()
        return self._raw_ids

    def days(self, table: Table) -> list[str]:
        """Return the days of a table that have rows, up to `through`, ascending.

        Raises:
            DataError: A day was being written when its runner died (DAY_NOT_READY); for a living one is waited.
        """
        parts = self._ready_parts(table)
        for day, part in parts.items():
            if not part.digest:
                raise DataError(
                    "a day is being written just now, or its writer was killed",
                    where=f"table {table.name}, day {day}",
                    fix="wait for the other run to end, or run `endcap refresh`, which completes the day",
                    code=Code.DAY_NOT_READY,
                )
        return [day for day, part in parts.items() if part.rows and day <= (self.through or day)]

    def _ready_parts(self, table: Table) -> dict[str, Part]:
        """Return what a table holds, once no living runner writes it."""
        is_told = False
        while True:
            parts = self.ledger.parts(table.name)
            if all(part.digest for part in parts.values()):
                return parts
            writer = self.ledger.writer_of(table.name)
            if not writer:
                return self.ledger.parts(table.name)  # again: it may have ended just now
            if not is_told:
                self.progress(StepReport(table.name, "waiting", note=f"for {told(writer)}, which writes it"))
                is_told = True
            self.ledger.retry.wait(_LOOK_AGAIN_S)

    def digests(self, table: Table, days: Sequence[str]) -> dict[str, str]:
        """Return `table/day` -> digest for those of the days that have rows: the inputs of a fingerprint."""
        parts = self.ledger.parts(table.name)
        return {f"{table.name}/{day}": parts[day].digest for day in days if day in parts and parts[day].rows}

    def made_of_models(self, step: str) -> dict[str, Any]:
        """Return what a step left behind for each model that endcap.toml names now, by name, ascending."""
        named = set(self.shop.config.models.train)
        return {name: output for name, output in sorted(self.ledger.outputs(step).items()) if name in named}

    def read(self, table: Table, days: Sequence[str] | None = None) -> ibis.Table:
        """Read a table's latest version, all of it or some days."""
        return self.engine.read_snapshot(self.tables.files(table, days), table)

    def close(self) -> None:
        """Free the engine and the store of raw ids."""
        for held in (self._engine, self._raw_ids):
            if held is not None:
                held.close()


@dataclass(frozen=True)
class Step:
    """One step of the flow.

    Args:
        name: Its name in the ledger.
        verb: The command that runs it.
        action: What the access door is asked for.
        code: Folders and files below src/endcap whose sources count for its fingerprint.
        sections: Sections of endcap.toml that count for its fingerprint.
        plan: Says which partitions there are, each with the digests of its inputs.
        run: Does the pending partitions.
        writes: The tables it may write.
        is_wanted: Says whether a shop has such a step at all.
        is_there: Says whether what the ledger knows of a partition's output besides tables still lies on disk.
        by_day: Whether its partitions may be done in chunks: each is the same whatever is done beside it.
        in_order: Whether a day looks back on what was made of the day before: chunks are done one after the other.
        rows_each: Table that it is made from -> about how many rows, of the size of an event's, each of its rows comes
            to: `rows_at_once` counts these. One where nothing is said.
    """

    name: str
    verb: str
    action: Action
    code: tuple[str, ...]
    sections: tuple[str, ...]
    plan: Callable[[Flow], dict[str, dict[str, str]]]
    run: Callable[[Flow, list[str]], Outcome]
    writes: tuple[Table, ...] = ()
    is_wanted: Callable[[Flow], bool] = lambda _flow: True
    is_there: Callable[[Flow, str], bool] = lambda _flow, _partition: True
    by_day: bool = False
    in_order: bool = False
    rows_each: Mapping[str, int] = field(default_factory=dict)
