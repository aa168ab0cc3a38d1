"""What must be true of features, sequences and examples beyond their columns; asked before they are written."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import pairwise

import ibis

from endcap.core.clock import DAY_US
from endcap.core.contract import Table
from endcap.core.errors import Code, DataError
from endcap.core.tables import CATALOGUE_NEGATIVES, EXAMPLES, ITEM_DAYS, POOL_NEGATIVES, SEQUENCES, WINDOWS_DAYS
from endcap.engines.port import Engine
from endcap.features.config import FeaturesConfig
from endcap.features.daily import as_of_days

__all__ = ["check_days", "check_examples", "check_features", "check_negatives", "check_sequences"]


def check_days(engine: Engine, counted: ibis.Table, table: Table) -> None:
    """Check that of a day's counts the part is never more than the whole.

    Args:
        engine: Computes the checks.
        counted: Materialised ITEM_DAYS or USER_DAYS.
        table: Which of them.

    Raises:
        DataError: A check fails (CONTRACT_BROKEN); every failure is named with its number.
    """
    part, whole = ("num_clicks", "num_exposures") if table is ITEM_DAYS else ("num_priced", "num_views")
    _refuse(engine, counted, table, {f"count more {part} than {whole}": counted[part] > counted[whole]})


def check_features(engine: Engine, features: ibis.Table, table: Table) -> None:
    """Check that a longer window never counts less than a shorter one.

    Args:
        engine: Computes the checks.
        features: Materialised USER_FEATURES or ITEM_FEATURES.
        table: Which of them.

    Raises:
        DataError: A check fails (CONTRACT_BROKEN); every failure is named with its number.
    """
    faults: dict[str, ibis.Value] = {}
    stems = [name.removesuffix("_1d") for name in table.names if name.endswith("_1d")]
    for stem in stems:
        for shorter, longer in pairwise(WINDOWS_DAYS):
            name = f"count more {stem} in {shorter} than in {longer} days"
            faults[name] = features[f"{stem}_{shorter}d"] > features[f"{stem}_{longer}d"]
    if "days_since_first_seen" in table.names:
        faults["were last seen before they were first seen"] = features.days_since_first_seen < features.days_since_seen
    _refuse(engine, features, table, faults)


def check_sequences(engine: Engine, sequences: ibis.Table, config: FeaturesConfig) -> None:
    """Check that lists go together, stand in time order, and that a history ends before its day.

    Raises:
        DataError: A check fails (CONTRACT_BROKEN); every failure is named with its number.
    """
    length = sequences.item_ids.length()
    others = [sequences[name].length() for name in ("event_names", "event_ids", "at_us_list")]
    at_us = sequences.at_us_list
    is_history = sequences.scope == "user"
    day_us = sequences.date_partition.cast("date").epoch_days().cast("int64") * DAY_US
    last_us = at_us[length - 1]
    faults = {
        "have no element": length == 0,
        "have lists of different lengths": (others[0] != length) | (others[1] != length) | (others[2] != length),
        "are out of order": at_us != at_us.sort(),
        "do not start at started_us": sequences.started_us != at_us[0],
        "are histories that reach into their day": is_history & (last_us >= day_us),
        "are histories that are too long": is_history & (length > config.max_sequence),
        "are sessions outside their day and the next": ~is_history
        & ((at_us[0] < day_us) | (last_us >= day_us + 2 * DAY_US)),
    }
    _refuse(engine, sequences, SEQUENCES, faults)


def check_examples(engine: Engine, examples: ibis.Table, config: FeaturesConfig) -> None:
    """Check that contexts lead to their targets.

    Raises:
        DataError: A check fails (CONTRACT_BROKEN); every failure is named with its number.
    """
    context = examples.context_item_ids
    length = context.length()
    faults = {
        "have a context of the wrong length": length != ibis.least(examples.position, config.max_sequence),
        "have the target as the last item of the context": context[length - 1] == examples.item_id,
        "are carted or purchased but say they are not": ((examples.event_name == "add_to_cart") & ~examples.carted)
        | ((examples.event_name == "purchase") & ~examples.purchased),
    }
    _refuse(engine, examples, EXAMPLES, faults)


def check_negatives(
    engine: Engine, examples: ibis.Table, item_days: ibis.Table, config: FeaturesConfig, *, days: Sequence[str]
) -> None:
    """Check that negatives are as many as asked for, have their probabilities, and could be drawn.

    Args:
        engine: Computes the checks.
        examples: Materialised EXAMPLES of `days`.
        item_days: What `daily.item_days` counted on the HISTORY_DAYS before each day.
        config: The samplers.
        days: The days that were done.

    Raises:
        DataError: A check fails (CONTRACT_BROKEN); every failure is named with its number.
    """
    known = engine.materialise(as_of_days(item_days, days).select("date_partition", "item_id").distinct())
    knowing = examples.date_partition.isin(known.date_partition)
    items, chances, kinds = (examples[name] for name in ("negative_item_ids", "negative_p", "negative_kinds"))
    num = {kind: kinds.filter(_is(kind)).length() for kind in (*CATALOGUE_NEGATIVES, *POOL_NEGATIVES)}
    wanted = {kind: config.num_by_kind.get(kind, 0) for kind in num}
    # Draws by popularity also stand where a pool was empty: their number is what the others leave.
    wrong = [num[kind].notin([0, wanted[kind]]) for kind in num if kind != "popularity"]
    wrong += [knowing & ((num["uniform"] != wanted["uniform"]) | (items.length() != sum(wanted.values())))]
    wrong += [~knowing & (num["uniform"] + num["popularity"] + num["hard"] > 0)]
    faults = {
        "have negatives without a probability or a kind": (items.length() != chances.length())
        | (items.length() != kinds.length()),
        "have the wrong number of negatives": reduce(lambda left, right: left | right, wrong),
        "have a probability outside (0, 1]": (chances.mins() <= 0) | (chances.maxs() > 1),
    }
    try:
        _refuse(engine, examples, EXAMPLES, faults)
        # Zipped: two lists unnested beside each other are row by row to DuckDB, and every pair to Spark.
        each = examples.select("date_partition", target=examples.item_id, draw=items.zip(kinds).unnest())
        drawn = each.select("date_partition", "target", item_id=each.draw.f1, kind=each.draw.f2)
        drawn = drawn.distinct().left_join(known.mutate(is_known=True), ["date_partition", "item_id"])
        is_of_pool = drawn.kind.isin(list(POOL_NEGATIVES))
        faults = {
            "draw an item not known before the day": (drawn.kind != "unclicked") & drawn.is_known.isnull(),
            "draw the target from a pool without it": is_of_pool & (drawn.item_id == drawn.target),
        }
        _refuse(engine, drawn, EXAMPLES, faults)
    finally:
        engine.drop(known)


def _is(kind: str) -> Callable[[ibis.Value], ibis.Value]:
    return lambda value: value == kind


def _refuse(engine: Engine, rows: ibis.Table, table: Table, faults: Mapping[str, ibis.Value]) -> None:
    """Count the rows that have each fault, in one pass, and raise if there are any."""
    counts = {f"fault_{place}": fault.cast("int64").sum() for place, fault in enumerate(faults.values())}
    measured = engine.to_arrow(rows.aggregate(**counts)).to_pylist()[0]
    broken = [f"{count:,} rows {what}" for what, count in zip(faults, measured.values(), strict=True) if count]
    if broken:
        raise DataError(
            f"table {table.name} does not hold together: {'; '.join(broken)}",
            where=f"table {table.name}",
            fix="nothing was written; report this with the output of `endcap show runs`",
            code=Code.CONTRACT_BROKEN,
        )
