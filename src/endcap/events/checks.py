"""What must be true of an intake before it is written, beyond the tables' contracts."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import ibis

from endcap.core.errors import Code, DataError, EndcapError, SourceError
from endcap.engines.port import Engine
from endcap.events.config import EventsConfig
from endcap.events.files import NO_DAY
from endcap.events.ingest import Ingested

__all__ = ["bad_days", "check_feed", "check_intake", "check_update", "raw_ids_found"]

_KEYED = "^[0-9a-f]{32}$"
_LEAST_FEED_SHARE = 0.5
_FEW = 20  # so few bad rows do not refuse a day that has good ones: a share of a handful says nothing


def check_intake(engine: Engine, ingested: Ingested) -> list[dict[str, Any]]:
    """Refuse an intake whose sums do not match, or that holds raw ids.

    Args:
        engine: Computes the counts.
        ingested: What is to be written.

    Returns:
        The counts, one mapping a row, for the ledger.

    Raises:
        DataError: CONTRACT_BROKEN: a fault of ours.
    """
    counts: list[dict[str, Any]] = engine.to_arrow(ingested.counts).to_pylist()
    _refuse_unequal_sums(counts)
    _refuse_raw_keys(engine, ingested)
    return counts


def bad_days(
    counts: Sequence[Mapping[str, Any]],
    config: EventsConfig,
    *,
    claimed: Collection[str],
    stray: Collection[str] = (),
) -> dict[str, EndcapError]:
    """Return the days that are empty or mostly bad, ascending, each with its error.

    Args:
        counts: What became of every row, as `check_intake` returns it.
        config: `[events]`: the limits.
        claimed: Days that must have an event (`days_claimed`).
        stray: Days that may be bad altogether (`stray_days`).

    Returns:
        Day -> SOURCE_EMPTY_DAY or TOO_MANY_BAD_ROWS.
    """
    judged = [row for row in counts if row["date_partition"] not in stray]
    return dict(sorted((_empty_days(counts, config, claimed) | _mostly_bad_days(judged, config, claimed)).items()))


def check_feed(num_items: int, num_bad: int, *, num_before: int, file: str, config: EventsConfig) -> None:
    """Refuse a feed that is mostly bad, or that has lost most of the items it named before: an export that failed.

    Args:
        num_items: Items read.
        num_bad: Lines in quarantine.
        num_before: Items that the feed named the last time, 0 for a new shop or where the loss is wanted.
        file: Its name.
        config: `[events]`: the limits.

    Raises:
        DataError: TOO_MANY_BAD_ROWS.
    """
    if num_items == 0:
        raise _mostly_bad(num_items, num_bad, file)
    check_update(num_items, num_bad, file=file, config=config)
    if num_items < _LEAST_FEED_SHARE * num_before:
        raise DataError(
            f"the feed names {num_items:,} items, {num_before:,} the last time: more than half are gone",
            where=f"file {file}",
            fix="export the feed again; if they were really dropped, run `endcap refresh SHOP --again catalogue`",
            code=Code.TOO_MANY_BAD_ROWS,
        )


def check_update(num_items: int, num_bad: int, *, file: str, config: EventsConfig) -> None:
    """Refuse an update of prices and stock that is mostly bad; one that says nothing is none.

    Raises:
        DataError: TOO_MANY_BAD_ROWS.
    """
    if num_bad > max(_FEW, config.max_bad_share * (num_items + num_bad)):
        raise _mostly_bad(num_items, num_bad, file)


def _mostly_bad(num_items: int, num_bad: int, file: str) -> DataError:
    return DataError(
        f"{num_bad:,} of {num_items + num_bad:,} lines of the feed are bad, and {num_items:,} items are left",
        where=f"file {file}",
        fix="export the feed again, or raise events.max_bad_share; the items in force stay",
        code=Code.TOO_MANY_BAD_ROWS,
    )


def _refuse_unequal_sums(counts: Sequence[Mapping[str, Any]]) -> None:
    open_rows: dict[tuple[str, str], list[int]] = {}
    for row in counts:
        sign = 1 if row["outcome"] == "read" else -1
        left = open_rows.setdefault((row["date_partition"], row["event_name"]), [0, 0])
        left[0] += sign * row["num_events"]
        left[1] += sign * row["num_rows"]
    for (day, event_name), left in open_rows.items():
        if left != [0, 0]:
            raise _broken(f"{left[0]} events and {left[1]} rows of {event_name!r} on {day} are not accounted for")


def _refuse_raw_keys(engine: Engine, ingested: Ingested) -> None:
    """Refuse user and device keys that are no keyed hashes."""
    for name in ("user_key", "device_key"):
        distinct = ingested.identified.select(key=name).distinct()
        wrong = (
            engine.to_arrow(distinct.filter(~distinct.key.re_search(_KEYED)).count().as_table()).column(0)[0].as_py()
        )
        if wrong:
            raise _broken(f"{name} holds {wrong:,} values that are no keyed hashes")


def _empty_days(
    counts: Sequence[Mapping[str, Any]], config: EventsConfig, claimed: Collection[str]
) -> dict[str, EndcapError]:
    if config.allow_empty_days:
        return {}
    return {
        day: SourceError(
            f"{day} has a file but no event",
            where=f"table events, day {day}",
            fix="export the day again, or set events.allow_empty_days = true if the shop was closed",
            code=Code.SOURCE_EMPTY_DAY,
        )
        for day in set(claimed) - {row["date_partition"] for row in counts}
    }


def _mostly_bad_days(
    counts: Sequence[Mapping[str, Any]], config: EventsConfig, claimed: Collection[str]
) -> dict[str, EndcapError]:
    found: dict[str, EndcapError] = {}
    read: dict[str, int] = {}
    bad: dict[str, dict[str, int]] = {}
    has_kept = {row["date_partition"] for row in counts if row["outcome"] == "kept"}
    for row in counts:
        day = row["date_partition"]
        if row["outcome"] == "read":
            read[day] = read.get(day, 0) + row["num_rows"]
        elif row["outcome"] == "quarantined":
            reasons = bad.setdefault(day, {})
            reasons[row["reason"]] = reasons.get(row["reason"], 0) + row["num_rows"]
    for day, reasons in sorted(bad.items()):
        num_bad = sum(reasons.values())
        if set(reasons) == {"at_in_future"} and day not in claimed and (day != NO_DAY or num_bad < _FEW):
            continue  # it may yet come; many that no file tells a day of are of another unit than `time_unit`
        if num_bad > config.max_bad_share * read[day] and (num_bad >= _FEW or day not in has_kept):
            worst = sorted(reasons.items(), key=lambda each: (-each[1], each[0]))[:3]
            told = ", ".join(f"{reason} {count:,}" for reason, count in worst)
            found[day] = DataError(
                f"{num_bad:,} of {read[day]:,} rows of {day} are bad ({told}), more than {config.max_bad_share:.0%}",
                where=f"table events, day {day}",
                fix=_fix_for(worst[0][0]),
                code=Code.TOO_MANY_BAD_ROWS,
            )
    return found


def _fix_for(reason: str) -> str:
    """Return what to do about a day whose rows are mostly bad for a reason."""
    if reason == "item_missing":
        return (
            "export views, clicks and carts with the item that they name, or tell in endcap.toml which column it is; "
            "if the shop logs them on pages without an item, raise events.max_bad_share"
        )
    if reason == "at_too_late":
        return "raise events.max_lateness_days if files may hold events from so long before the day they are named by"
    return "correct the export, or renames and default_currency in endcap.toml, or raise events.max_bad_share"


def raw_ids_found(engine: Engine, table: ibis.Table, raw_ids: ibis.Table) -> dict[str, int]:
    """Count the different values of each text column that are raw ids: for tests and benchmarks, it is slow.

    Args:
        engine: Computes it.
        table: Any output.
        raw_ids: One column `raw_id`.
    """
    found = {}
    for name, kind in table.schema().items():
        if kind.is_string():
            values = table.select(raw_id=name).distinct()
            number = engine.to_arrow(values.semi_join(raw_ids, "raw_id").count().as_table()).column(0)[0].as_py()
            if number:
                found[name] = number
    return found


def _broken(what: str) -> DataError:
    return DataError(
        what,
        where="table events",
        fix="nothing was written; report this with the output of `endcap show runs`",
        code=Code.CONTRACT_BROKEN,
    )
