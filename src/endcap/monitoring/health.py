"""The health report of a refresh: what was observed, judged by the limits of `[monitoring]`."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from endcap.core.clock import DAY_US, day_start_us, days_between, next_day
from endcap.metrics.divergence import jensen_shannon
from endcap.monitoring.config import Limits, MonitoringConfig
from endcap.monitoring.verdict import Check, Tone, verdict

__all__ = ["HealthReport", "Observed", "health"]

_DAYS_BEFORE = 7
_HOUR_US = 3_600_000_000


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What a refresh has seen: plain numbers.

    Args:
        through: Last day of events, YYYY-MM-DD.
        now_us: The present instant, microseconds UTC.
        newest_event_us: Instant of the newest event; None without events.
        num_events: Day -> event name -> events, at least for `through` and the 7 days before; days without events may
            be left out.
        num_source_rows: Rows read from the source for these days, the quarantined ones included.
        quarantined: Reason -> rows in quarantine of these days.
        refused: Day that goes on without what came -> names of the files of it that cannot be read; none where most of
            the day is bad.
        measures: Measure -> value of the default model's evaluation; None where it is undefined.
        measures_before: The same of the bundle before; empty when there is none.
        index_recall: Least recall of the bundle's indexes, 0..1; None without an index.
        num_items: Items in force.
        num_without_price: Of these, without a price.
        num_out_of_stock: Of these, out of stock.
        features_through: Last day of events that the features know; None without features.
    """

    through: str
    now_us: int
    newest_event_us: int | None
    num_events: Mapping[str, Mapping[str, int]]
    num_source_rows: int
    quarantined: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, Sequence[str]] = field(default_factory=dict)
    measures: Mapping[str, float | None] = field(default_factory=dict)
    measures_before: Mapping[str, float | None] = field(default_factory=dict)
    index_recall: float | None = None
    num_items: int = 0
    num_without_price: int = 0
    num_out_of_stock: int = 0
    features_through: str | None = None


class HealthReport(msgspec.Struct, frozen=True):
    """The health of a shop after a refresh; `msgspec.json.encode` writes it.

    Args:
        through: Last day of events.
        at_us: When it was judged.
        overall: The conclusion of all checks.
        checks: Each check's conclusion, always in the same order.
    """

    through: str
    at_us: int
    overall: Check
    checks: list[Check]


def health(observed: Observed, config: MonitoringConfig) -> HealthReport:
    """Judge what a refresh has seen.

    Args:
        observed: The numbers.
        config: The limits.
    """
    checks = [
        _freshness(observed, config),
        _lag(observed, config),
        _volume(observed, config),
        _mix(observed, config),
        _quarantine(observed, config),
        _sources(observed),
        _quality(observed, config),
        _index(observed, config),
        _share("prices", ("known", "missing", "mostly_missing"), observed, config.no_price_share),
        _share("stock", ("stocked", "thin", "sold_out"), observed, config.out_of_stock_share),
        _features(observed, config),
    ]
    return HealthReport(observed.through, observed.now_us, _overall(checks), checks)


def _judge(value: float, limits: Limits, states: Sequence[str]) -> tuple[str, float]:
    """Return which of three states (good, warn, bad) a value is in, and the limit that it is beyond."""
    if value > limits.bad:
        return states[2], limits.bad
    return (states[1], limits.warn) if value > limits.warn else (states[0], limits.warn)


def _freshness(seen: Observed, config: MonitoringConfig) -> Check:
    if seen.newest_event_us is None:
        return verdict("freshness", "empty", None, through=seen.through)
    # Events after the day's end (a refresh of an earlier day) leave nothing to wait for; nor does the rest of today.
    end_us = min(day_start_us(seen.through) + DAY_US, max(seen.now_us, day_start_us(seen.through)))
    age_h = max(0.0, (end_us - seen.newest_event_us) / _HOUR_US)
    state, limit = _judge(age_h, config.freshness_h, ("fresh", "late", "stale"))
    return verdict("freshness", state, age_h, limit=limit, through=seen.through)


def _lag(seen: Observed, config: MonitoringConfig) -> Check:
    lag_days = max(0.0, (seen.now_us - day_start_us(seen.through) - DAY_US) / DAY_US)
    if lag_days > config.replay_days:
        return verdict("lag", "replay", lag_days, limit=config.replay_days)
    state, limit = _judge(lag_days, config.lag_days, ("current", "behind", "left_behind"))
    return verdict("lag", state, lag_days, limit=limit)


def _days_before(seen: Observed) -> list[Mapping[str, int]]:
    """Return the counts of up to 7 days before the day, from the first that has events on."""
    days = days_between(next_day(seen.through, -_DAYS_BEFORE), next_day(seen.through, -1))
    counts = [seen.num_events.get(day, {}) for day in days]
    while counts and not sum(counts[0].values()):
        counts = counts[1:]
    return counts


def _told(days: Sequence[Mapping[str, int]]) -> str:
    return "the day before" if len(days) == 1 else f"the {len(days)} days before"


def _volume(seen: Observed, config: MonitoringConfig) -> Check:
    count = sum(seen.num_events.get(seen.through, {}).values())
    before = _days_before(seen)
    told: dict[str, float | str] = {"through": seen.through, "count": count, "before": _told(before)}
    if not before:
        return verdict("volume", "first", None, **told)
    if count == 0:
        return verdict("volume", "empty", 0.0, **told)
    times = count * len(before) / sum(sum(day.values()) for day in before)
    state, limit = _judge(max(times, 1 / times), config.volume_times, ("steady", "unusual", "broken"))
    return verdict("volume", state, times, limit=limit, **told)


def _mix(seen: Observed, config: MonitoringConfig) -> Check:
    today, before = Counter(seen.num_events.get(seen.through, {})), Counter[str]()
    days = _days_before(seen)
    for day in days:
        before.update(day)
    if not today.total() or not before.total():
        return verdict("mix", "first", None, through=seen.through)
    names = sorted(today | before)
    bits = jensen_shannon([today[name] for name in names], [before[name] for name in names])
    shares = {name: (today[name] / today.total(), before[name] / before.total()) for name in names}
    most = max(names, key=lambda name: abs(shares[name][0] - shares[name][1]))
    state, limit = _judge(bits, config.mix_bits, ("steady", "shifted", "broken"))
    return verdict(
        "mix",
        state,
        bits,
        limit=limit,
        through=seen.through,
        before=_told(days),
        event_name=most,
        share=shares[most][0],
        share_before=shares[most][1],
    )


def _quarantine(seen: Observed, config: MonitoringConfig) -> Check:
    count = sum(seen.quarantined.values())
    if count == 0:
        return verdict("quarantine", "clean", 0.0, num_rows=seen.num_source_rows)
    reason = min(seen.quarantined, key=lambda each: (-seen.quarantined[each], each))
    share = count / max(count, seen.num_source_rows)
    state, limit = _judge(share, config.quarantine_share, ("few", "many", "too_many"))
    return verdict("quarantine", state, share, limit=limit, count=count, num_rows=seen.num_source_rows, reason=reason)


def _sources(seen: Observed) -> Check:
    if not seen.refused:
        return verdict("sources", "read", 0.0)
    files = sorted({name for names in seen.refused.values() for name in names})
    days = sorted(seen.refused)
    waiting = f"{days[0]} goes" if len(days) == 1 else f"{len(days)} days from {days[0]} to {days[-1]} go"
    if not files:
        return verdict("sources", "bad", float(len(days)), days=waiting)
    named = "1 file" if len(files) == 1 else f"{len(files):,} files"
    return verdict("sources", "refused", float(len(files)), files=named, first=files[0], days=waiting)


def _quality(seen: Observed, config: MonitoringConfig) -> Check:
    now, before = seen.measures.get(config.measure), seen.measures_before.get(config.measure)
    if now is None or now != now:  # noqa: PLR0124 - NaN, the undefined measure, differs from itself
        return verdict("quality", "unknown", None, measure=config.measure)
    if before is None or not before > 0:
        return verdict("quality", "first", None, measure=config.measure, now=now)
    drop = 1 - now / before
    state, limit = _judge(drop, config.measure_drop, ("kept", "lower", "much_lower"))
    return verdict("quality", state, drop, limit=limit, measure=config.measure, now=now, earlier=before)


def _index(seen: Observed, config: MonitoringConfig) -> Check:
    if seen.index_recall is None:
        return verdict("index", "none", None)
    loss = 1 - seen.index_recall
    state, limit = _judge(loss, config.recall_loss, ("exact", "lossy", "broken"))
    return verdict("index", state, loss, limit=limit, recall=seen.index_recall)


def _share(name: str, states: Sequence[str], seen: Observed, limits: Limits) -> Check:
    """Judge the share of items that lack something."""
    if seen.num_items == 0:
        return verdict(name, "no_items", None)
    count = seen.num_without_price if name == "prices" else seen.num_out_of_stock
    share = count / seen.num_items
    state, limit = _judge(share, limits, states)
    return verdict(name, state, share, limit=limit, count=count, num_items=seen.num_items)


def _features(seen: Observed, config: MonitoringConfig) -> Check:
    if seen.features_through is None:
        return verdict("features", "none", None)
    behind_days = max(0.0, (day_start_us(seen.through) - day_start_us(seen.features_through)) / DAY_US)
    state, limit = _judge(behind_days, config.features_behind_days, ("current", "behind", "left_behind"))
    told = {"through": seen.through, "features_through": seen.features_through}
    return verdict("features", state, behind_days, limit=limit, **told)


def _overall(checks: Sequence[Check]) -> Check:
    bad = [check.name for check in checks if check.tone is Tone.BAD]
    warn = [check.name for check in checks if check.tone is Tone.WARN]
    state = {(False, False): "healthy", (False, True): "watch", (True, False): "act", (True, True): "act_and_watch"}
    return verdict(
        "overall",
        state[bool(bad), bool(warn)],
        None,
        num_checks=len(checks),
        num_bad=len(bad),
        bad_names=", ".join(bad),
        num_warn=len(warn),
        warn_names=", ".join(warn),
    )
