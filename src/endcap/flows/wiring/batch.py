"""Adapters of the batch path: DuckDB computes, Delta Lake keeps tables, SQLite or PostgreSQL keeps the ledger."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from endcap.core.clock import Clock, day_of, system_clock
from endcap.core.errors import Code, ConfigError
from endcap.core.ids import digest_of
from endcap.engines.port import Engine
from endcap.flows.config import EngineSettings
from endcap.flows.flow import Flow, Places, Progress
from endcap.flows.lease import holder_of_this_process
from endcap.flows.ledger import Ledger, Scope
from endcap.flows.shop import Shop
from endcap.flows.wiring.places import open_objects, open_query, password_of
from endcap.flows.wiring.stores import check_stores, open_bundles, open_shared_runs, open_tables
from endcap.flows.wiring.tracking import open_tracking
from endcap.governance.access import Actor, local_actor
from endcap.stores.catalog import Catalog
from endcap.stores.query import Query
from endcap.stores.raw_ids import RawIds

__all__ = ["CATALOG_PASSWORD_VARIABLE", "make_duckdb", "open_engine", "open_flow", "open_ledger", "open_raw_ids"]

CATALOG_PASSWORD_VARIABLE = "ENDCAP_CATALOG_PASSWORD"  # noqa: S105 - its name
"""Environment variable with the password of `stores.catalog`, in the place of keys/catalog.password."""

_LONGEST_NAME = 63
"""PostgreSQL cuts longer names."""


@contextmanager
def open_ledger(shop: Shop) -> Iterator[Ledger]:
    """Open a shop's ledger for the length of the block."""
    settings = shop.config.shop
    catalog = _catalog(shop)
    try:
        yield Ledger(catalog, Scope(settings.organisation, settings.project, settings.region))
    finally:
        catalog.close()


def _catalog(shop: Shop) -> Catalog:
    url, settings = shop.config.stores.catalog, shop.config.shop
    if not url:
        return Catalog(shop.database)
    # No name of a shop holds "$": two shops never share a schema.
    schema = f"endcap_{settings.organisation}${settings.project}"
    if len(schema) > _LONGEST_NAME:
        schema = f"{schema[:50]}${digest_of(schema)[:12]}"
    return Catalog(url, password=password_of(shop.root, "catalog", CATALOG_PASSWORD_VARIABLE), schema=schema)


@contextmanager
def open_flow(
    shop: Shop,
    *,
    through: str,
    progress: Progress,
    actor: Actor | None = None,
    clock: Clock = system_clock,
    share: int = 1,
) -> Iterator[Flow]:
    """Open all that a flow needs over a shop, for the length of the block.

    Args:
        shop: The shop.
        through: Last day to be done; "" for the last one that has data.
        progress: Is told how each step goes.
        actor: Who asks; the operating-system user by default.
        clock: The clock; the run's id is made from it and from the process.
        share: How many processes share the engine's memory and threads.
    """
    now_us = clock()
    run_id = f"{day_of(now_us)}-{digest_of([now_us, holder_of_this_process()])[:12]}"
    with open_ledger(shop) as ledger, open_tables(shop) as tables:
        flow = Flow(
            shop=shop,
            ledger=ledger,
            tables=tables,
            make_engine=lambda: _engine(shop.config.engine, shop.scratch, run_id, share=share),
            make_raw_ids=lambda: open_raw_ids(shop),
            places=_places(shop),
            through=through,
            run_id=run_id,
            now_us=now_us,
            actor=actor or local_actor(),
            progress=progress,
            make_bundles=lambda: open_bundles(shop),
            check_stores=lambda: check_stores(shop, run_id),
            shared_runs=open_shared_runs(shop),
            make_tracking=lambda: open_tracking(shop),
        )
        try:
            yield flow
        finally:
            flow.close()


@contextmanager
def open_engine(scratch: Path) -> Iterator[Engine]:
    """Open an engine with the default settings for the length of the block, to look at files before there is a shop.

    Args:
        scratch: Folder in which it may spill.
    """
    engine = make_duckdb(EngineSettings(), scratch)
    try:
        yield engine
    finally:
        engine.close()


def open_raw_ids(shop: Shop) -> RawIds:
    """Open the store that knows whose a keyed hash is; the caller closes it.

    Raises:
        ConfigError: Its key is missing, or it is no key, or others may read its file.
    """
    from endcap.stores.adapters.sealed_ids import SealedIds  # noqa: PLC0415 - only who reads or keeps ids needs it

    return SealedIds(shop.raw_ids, shop.raw_ids_key())


def _places(shop: Shop) -> Places:
    def query() -> AbstractContextManager[Query]:
        settings = shop.config.events.database
        assert settings is not None, "asked only where a database is named"
        return open_query(shop.root, settings)

    return Places(open_query=query, open_objects=lambda: open_objects(shop.config.events))


def _engine(settings: EngineSettings, scratch: Path, run_id: str, *, share: int) -> Engine:
    if settings.name == "spark":
        return _spark(settings, scratch / f"spark-{run_id}-{os.getpid()}")
    return make_duckdb(settings, scratch, run_id, share=share)


def _spark(settings: EngineSettings, scratch: Path) -> Engine:
    try:
        from endcap.engines.adapters.spark import SparkEngine  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigError(
            f"engine.name is spark, and PySpark cannot be loaded: {error}",
            where="$.engine.name",
            fix="pip install 'endcap[spark]', or set engine.name = \"duckdb\"",
            code=Code.ENGINE_MISSING,
        ) from error
    return SparkEngine(
        master=settings.master, memory_limit=settings.memory_limit, threads=settings.threads, scratch=scratch
    )


def make_duckdb(settings: EngineSettings, scratch: Path, run_id: str = "", *, share: int = 1) -> Engine:
    """Make the engine of a run; the caller closes it."""
    from endcap.engines.adapters.duckdb import DuckDBEngine  # noqa: PLC0415 - half a second that an idle run saves

    memory = settings.memory_limit
    return DuckDBEngine(
        memory_limit=memory if share == 1 else f"{float(memory[:-2]) / share:.3f}{memory[-2:]}",
        threads=max(1, (settings.threads or os.cpu_count() or 1) // share),
        spill=scratch / f"spill-{run_id}-{os.getpid()}",  # of its own: two would write into the same files
    )
