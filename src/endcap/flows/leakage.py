"""The leakage firewall: a shop's own tables, or any training frame in a file, looked through for what peeks."""

from dataclasses import replace
from pathlib import Path

from endcap.core.clock import Clock, system_clock
from endcap.core.errors import Code, DataError
from endcap.core.tables import (
    EVENTS,
    EXAMPLES,
    EXPOSURES,
    ITEM_FEATURES,
    ITEMS,
    SEQUENCES,
    SESSIONS,
    USER_FEATURES,
)
from endcap.features.findings import LeakageReport
from endcap.features.leakage import find_leaks
from endcap.features.leakage_frame import FrameRoles
from endcap.features.leakage_of_frame import find_leaks_of_frame
from endcap.features.leakage_sample import ShopTables
from endcap.flows.flow import Flow
from endcap.flows.interactions import read_rows
from endcap.flows.people import read_people
from endcap.flows.runner import num_pending
from endcap.flows.shop import find_shop
from endcap.flows.steps import STEPS
from endcap.flows.wiring.batch import open_flow
from endcap.governance.access import Action, Resource, local_actor, require
from endcap.governance.audit import KeptInMemory

__all__ = ["leakage_of_file", "leakage_of_shop"]

_READ = (ITEMS, SESSIONS, EXPOSURES, USER_FEATURES, ITEM_FEATURES, SEQUENCES, EXAMPLES)
_MADE_OF_EVENTS = (SESSIONS, EXPOSURES, USER_FEATURES, ITEM_FEATURES, SEQUENCES, EXAMPLES)


def leakage_of_shop(shop: Path, *, clock: Clock = system_clock) -> LeakageReport:
    """Look for leaks in a shop's tables as they lie in its lake. Nothing is written but the audit log.

    Args:
        shop: The shop's folder.
        clock: The clock, for the audit log.

    Raises:
        ConfigError: There is no shop.
        DataError: Its tables have not been made yet, or are being written (DAY_NOT_READY).
        AccessError: The user of the operating system may not.
    """
    opened = find_shop(shop)
    with open_flow(opened, through="", progress=lambda _report: None, clock=clock) as flow:
        require(flow.actor, Action.SHOP_READ, opened.resource("leakage"), audit=flow.ledger.audit, at_us=flow.now_us)
        _check_there(flow)
        read = {table.name: flow.read(table) for table in _READ}
        # Of people, as every step after ingest reads them: their events under the user's key, no bots.
        tables = ShopTables(events=read_people(flow, flow.days(EVENTS)), **read)
        config = opened.config
        report = find_leaks(flow.engine, tables, config.features, click_events=config.sessions.click_events)
        return replace(report, notes=(*_stale(flow), *report.notes))


def _check_there(flow: Flow) -> None:
    """Refuse a shop whose data steps have not been run. One that shows no lists may be looked at without exposures."""
    for table in (SESSIONS, USER_FEATURES, SEQUENCES):
        if not flow.days(table):
            raise DataError(
                "there is nothing to look at yet",
                where=f"table {table.name}, which has no day",
                fix=f"run `endcap refresh {flow.shop.root}`",
                code=Code.DAY_NOT_READY,
            )


def _stale(flow: Flow) -> list[str]:
    """Name the steps that are behind: their rows are of other events, settings or code than those of today."""
    written = {table.name for table in _MADE_OF_EVENTS}
    behind = [
        f"{step.name} ({num:,} days)"
        for step in STEPS
        if written & {table.name for table in step.writes} and (num := num_pending(flow, step))
    ]
    if not behind:
        return []
    return [
        f"steps that are behind, so that findings may be of old rows: {', '.join(behind)}; run `endcap refresh SHOP`"
    ]


def leakage_of_file(
    file: Path, roles: FrameRoles, *, later: Path | None = None, clock: Clock = system_clock
) -> LeakageReport:
    """Look for leaks in a training frame.

    Args:
        file: Parquet or CSV, one row an example.
        roles: What its label, instant, id and split are.
        later: The same rows as they are made today, when more data has come.
        clock: The clock, for the audit log.

    Raises:
        SourceError: A file is missing or cannot be read.
        DataError: A column is not there or is no time; there is one label only, or nothing on one side of the split.
        AccessError: The user of the operating system may not.
    """
    require(local_actor(), Action.MODEL_COMPARE, Resource(name="file"), audit=KeptInMemory(), at_us=clock())
    return find_leaks_of_frame(read_rows(file), roles, later=read_rows(later) if later else None)
