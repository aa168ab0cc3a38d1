"""The monitor step: gathers what the refresh has seen, has it judged, and writes the health report."""

from typing import Any

import msgspec

from endcap.core.clock import day_of, day_start_us, next_day
from endcap.core.ids import digest_of
from endcap.core.tables import EVENTS, ITEMS, USER_FEATURES
from endcap.flows.flow import Flow, Outcome
from endcap.flows.shop import write_atomically
from endcap.flows.source_schemas import refused_days
from endcap.monitoring.health import HealthReport, Observed, health

__all__ = ["is_report_there", "plan_monitor", "run_monitor"]

_DAYS_LOOKED_AT = 8


def plan_monitor(flow: Flow) -> dict[str, dict[str, str]]:
    """One partition: what is in force, what was last taken in, and today: data that stops coming grows old."""
    bundle = flow.ledger.outputs("bundle").get("", {})
    if not bundle:
        return {}
    days = flow.days(EVENTS)[-_DAYS_LOOKED_AT:]
    today = day_of(flow.now_us)
    seen = {"bundle": bundle["bundle_id"], "through": flow.through, "today": today}
    if refused := refused_days(flow, ""):
        seen["refused"] = digest_of(refused)
    return {"": {**seen, **flow.digests(EVENTS, days)}}


def is_report_there(flow: Flow, _partition: str) -> bool:
    """Whether the health report is still there."""
    return all((flow.shop.reports / f"health.{kind}").is_file() for kind in ("json", "txt"))


def run_monitor(flow: Flow, _pending: list[str]) -> Outcome:
    """Judge the refresh; the report of the bundle before is what its quality is compared with."""
    report = health(_observed(flow), flow.shop.config.monitoring)
    path = flow.shop.reports / "health.json"
    write_atomically(path, msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    write_atomically(path.with_suffix(".txt"), _text(report).encode())
    output = {
        "overall": report.overall.state,
        "bundle": flow.ledger.outputs("bundle")[""]["bundle_id"],
        "measures": _measures(flow),
        "measures_before": _measures_before(flow),
    }
    return Outcome(output={"": output}, note=report.overall.sentence)


def _observed(flow: Flow) -> Observed:
    first = next_day(flow.through, 1 - _DAYS_LOOKED_AT)
    days = [day for day in flow.days(EVENTS) if day >= first]
    counts = {day: output.get("counts", {}) for day, output in flow.ledger.outputs("ingest").items() if day in days}
    items = flow.read(ITEMS)
    now = items.filter(items.valid_to_us.isnull())
    stock = flow.engine.to_arrow(
        now.aggregate(
            num_items=now.count(),
            num_without_price=now.price_minor.isnull().cast("int64").sum(),
            num_out_of_stock=(now.availability == "out_of_stock").cast("int64").sum(),
        )
    ).to_pylist()[0]
    features = [day for day, part in flow.ledger.parts(USER_FEATURES.name).items() if part.rows]
    recalls = [output["recall"]["recall_min"] for output in flow.made_of_models("index").values()]
    return Observed(
        through=flow.through,
        now_us=flow.now_us,
        newest_event_us=_newest_event_us(flow, days),
        num_events={day: _kept(named) for day, named in counts.items()},
        num_source_rows=_sum(counts, "rows_read"),
        quarantined=_quarantined(counts),
        refused=refused_days(flow, ""),
        measures=_measures(flow),
        measures_before=_measures_before(flow),
        index_recall=min(recalls, default=None),
        # Features of a day know what was before it.
        features_through=next_day(max(features), -1) if features else None,
        **{name: int(value or 0) for name, value in stock.items()},
    )


def _newest_event_us(flow: Flow, days: list[str]) -> int | None:
    if not days:
        return None
    events = flow.read(EVENTS, days[-1:])
    newest = flow.engine.to_arrow(events.aggregate(at_us=events.at_us.max()))["at_us"][0].as_py()
    return int(newest) if newest is not None else day_start_us(days[-1])


def _measures(flow: Flow) -> dict[str, float | None]:
    evaluated = flow.ledger.outputs("evaluate").get("", {})
    found: dict[str, float | None] = evaluated.get("metrics", {}).get(evaluated.get("serving_model"), {})
    return found


def _measures_before(flow: Flow) -> dict[str, float | None]:
    """Return the measures of the bundle before this one, however often this one was looked at."""
    last = flow.ledger.outputs("monitor").get("", {})
    is_same = last.get("bundle") == flow.ledger.outputs("bundle")[""]["bundle_id"]
    found: dict[str, float | None] = last.get("measures_before" if is_same else "measures", {})
    return found


def _kept(named: dict[str, dict[str, int]]) -> dict[str, int]:
    return {event_name: counts.get("events_kept", 0) for event_name, counts in named.items()}


def _sum(counts: dict[str, dict[str, dict[str, int]]], name: str) -> int:
    return sum(sums.get(name, 0) for named in counts.values() for sums in named.values())


def _quarantined(counts: dict[str, dict[str, dict[str, int]]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for named in counts.values():
        for sums in named.values():
            for name, count in sums.items():
                if name.startswith("rows_quarantined:"):
                    reason = name.split(":", 1)[1]
                    total[reason] = total.get(reason, 0) + count
    return total


def _text(report: HealthReport) -> str:
    checks: list[Any] = [report.overall, *report.checks]
    return "".join(f"{check.tone.value:<5} {check.name:<11} {check.sentence}\n" for check in checks)
