"""The quality step: profiles each day that was ingested, and writes the page of the last one."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from endcap.core.clock import next_day
from endcap.core.errors import Code, DataError
from endcap.core.ids import digest_of
from endcap.core.tables import EVENTS, QUALITY
from endcap.engines.port import arrow_schema
from endcap.flows.flow import Flow, Outcome
from endcap.flows.plans import Plan
from endcap.flows.shop import write_atomically
from endcap.monitoring.profile import profile_events, profile_intake
from endcap.monitoring.quality import DAYS_NEEDED
from endcap.monitoring.quality_page import quality_page
from endcap.monitoring.quality_tables import DayQuality, day_quality

__all__ = ["PAGE", "is_quality_there", "plan_quality", "quality_of", "run_quality"]

PAGE = "quality.html"
"""The page's file in the shop's `reports`."""

_DAYS_AT_ONCE = 7  # a week of events in memory, however long the history is


def plan_quality(flow: Flow) -> Plan:
    """A partition for each day that was ingested, made from its events and from what became of its rows."""
    outputs = flow.ledger.outputs("ingest") if flow.through else {}
    counts = {day: output.get("counts", {}) for day, output in outputs.items() if day <= flow.through}
    return {
        day: {"counts": digest_of(counts[day]), **flow.digests(EVENTS, [day])}
        for day in sorted(counts)
        if day >= _FIRST_DAY
    }


_FIRST_DAY = "1970-01-02"  # rows of which nothing tells a day are booked on the day before: it is none


def is_quality_there(flow: Flow, partition: str) -> bool:
    """Whether the page is still there, asked for the last day alone: it is made with it.

    A day whose writer was killed counts: this step is asked before it completes that day.
    """
    known = {day: part for day, part in flow.ledger.parts(QUALITY.name).items() if day <= (flow.through or day)}
    last = max((day for day, part in known.items() if part.rows or not part.digest), default="")
    return partition != last or (flow.shop.reports / PAGE).is_file()


def run_quality(flow: Flow, pending: list[str]) -> Outcome:
    """Profile the pending days; when their rows are in force, write the page of the last day."""
    outputs = flow.ledger.outputs("ingest")
    rows: list[dict[str, Any]] = []
    for at in range(0, len(pending), _DAYS_AT_ONCE):
        days = pending[at : at + _DAYS_AT_ONCE]
        rows += profile_events(flow.engine, flow.read(EVENTS, days))
        for day in days:
            rows += profile_intake(day, outputs.get(day, {}).get("counts", {}))
    table = flow.engine.read_arrow(pa.Table.from_pylist(rows, schema=arrow_schema(QUALITY)))
    return Outcome(tables={"quality": table}, put_in_force=lambda: _write_page(flow))


def quality_of(flow: Flow, day: str = "") -> DayQuality:
    """Judge a day by the profiles that are there.

    Args:
        flow: The shop's flow.
        day: The UTC day; "" for the last one with a profile up to the flow's `through`.

    Raises:
        DataError: The day, or every day, has no profile (DAY_NOT_READY).
    """
    known = flow.days(QUALITY)
    wanted = day or (known[-1] if known else "")
    if wanted not in known:
        raise DataError(
            f"{wanted} has no profile" if wanted else "no day has a profile yet",
            where=f"table quality, which has {f'{known[0]} to {known[-1]}' if known else 'no day yet'}",
            fix=f"name one of these days, or run `endcap ingest {flow.shop.root}`",
            code=Code.DAY_NOT_READY,
        )
    first = next_day(wanted, -DAYS_NEEDED)
    return day_quality(wanted, _rows(flow, [each for each in known if first <= each <= wanted]))


def _last_day(flow: Flow) -> str:
    return max(flow.days(QUALITY), default="")


def _rows(flow: Flow, days: Sequence[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = flow.engine.to_arrow(flow.read(QUALITY, days)).to_pylist()
    return found


def _write_page(flow: Flow) -> None:
    if not _last_day(flow):
        return
    page = quality_page(quality_of(flow), shop=flow.shop.config.shop.project)
    write_atomically(flow.shop.reports / PAGE, page.encode())
