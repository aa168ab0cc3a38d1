"""Adapters of a replay: a ledger and tables of its own, beside the shop's tables as they were."""

from collections.abc import Iterator
from contextlib import contextmanager

from endcap.flows.flow import Flow
from endcap.flows.ledger import Ledger
from endcap.flows.replay_ledger import ReplayLedger
from endcap.flows.replay_plan import ReplayPlan
from endcap.flows.shop import Shop
from endcap.flows.wiring.batch import make_duckdb
from endcap.stores.catalog import Catalog
from endcap.stores.replayed import ReplayedTables

__all__ = ["open_replay"]


@contextmanager
def open_replay(flow: Flow, place: Shop, plan: ReplayPlan) -> Iterator[Flow]:
    """Open the flow of a replay for the length of the block.

    It has the id, the instant and the last day of the run, so that a bundle of it is the run's to the byte.

    Args:
        flow: The shop's flow, whose tables are read as they were.
        place: The folder of the replay, as a shop with the settings of then.
        plan: What is made again.
    """
    from endcap.stores.adapters.delta import DeltaTables  # noqa: PLC0415 - as in `stores`

    manifest = plan.manifest
    place.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    catalog = Catalog(place.database)
    ledger: Ledger = ReplayLedger(catalog, flow.ledger.scope, flow.ledger.retry)
    made = Flow(
        shop=place,
        ledger=ledger,
        tables=ReplayedTables(flow.tables.at(plan.versions), DeltaTables(place.lake), plan.owned, plan.versions),
        make_engine=lambda: make_duckdb(place.config.engine, place.scratch, flow.run_id),
        make_raw_ids=flow.make_raw_ids,
        places=flow.places,
        through=manifest.through,
        run_id=manifest.run_id,
        now_us=manifest.started_at_us,
        actor=flow.actor,
        progress=flow.progress,
        choose=plan,
        holds_back=True,
    )
    try:
        yield made
    finally:
        made.close()
        catalog.close()
