"""Do negatives know the outcome? What was known before each day is counted anew, and the draws are compared with it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from math import isclose
from typing import Any

import ibis

from endcap.core.clock import DAY_US
from endcap.core.tables import EXAMPLES, WINDOWS_DAYS
from endcap.engines.port import Engine
from endcap.features.config import FeaturesConfig
from endcap.features.findings import Finding
from endcap.features.leakage_of_sessions import Session
from endcap.features.leakage_sample import ShopTables, day_number, rows_of
from endcap.features.negatives import FALLBACK
from endcap.features.negatives_config import PopularityNegatives
from endcap.metrics.chance import hits_at_most

__all__ = ["FALSE_ALARM", "leaks_of_negatives"]

FALSE_ALARM = 1e-6
"""How often, at most, negatives that were drawn as they should be are taken for ones that avoid the outcome."""

_HISTORY_DAYS = max(WINDOWS_DAYS)
_FIRST, _LAST = -(10**9), 10**9
_KNOWN_BEFORE = ("uniform", "popularity", "hard")
_TOUCHES = ("view_item", "add_to_cart", "purchase")

Row = dict[str, Any]
Days = tuple[int, int]
Chances = dict[str, float]


def leaks_of_negatives(
    engine: Engine, tables: ShopTables, sessions: Mapping[str, Session], users: ibis.Table, config: FeaturesConfig
) -> tuple[list[Finding], int]:
    """Look for negatives that know their day, later days or the outcome.

    Args:
        engine: Reads the rows.
        tables: The shop.
        sessions: What `sessions_anew` made of these users.
        users: A column `user_key`: whose examples are looked at.
        config: By which samplers negatives are drawn.

    Returns:
        Findings, and how many draws were looked at.
    """
    names = ("date_partition", "session_id", "position", "item_id", "negative_item_ids", "negative_p", "negative_kinds")
    rows = rows_of(engine, tables.examples.semi_join(users, "user_key"), *names)
    touched = _touches(engine, tables.events)
    first_day = {item: min(days) for item, days in touched.items()}
    num_draws = sum(len(row["negative_item_ids"]) for row in rows)
    # What a list showed in the session may be new that day.
    found = _from_the_future(_of_kinds(rows, _KNOWN_BEFORE), first_day, num_draws)
    days = {day_number(row["date_partition"]) for row in rows}
    has_pools = any(sampler.kind not in ("uniform", "popularity") for sampler in config.negatives)
    for sampler in config.negatives:
        if sampler.kind not in ("uniform", "popularity"):
            continue  # drawn from a pool of their own, which `check_negatives` looks at
        power = sampler.power if isinstance(sampler, PopularityNegatives) else None
        drawn = _of_kinds(rows, (sampler.kind,))
        chances = {day: _chances(touched, (day - _HISTORY_DAYS, day - 1), power) for day in days}
        if has_pools and power is not None and power != FALLBACK.power:
            continue  # draws by another power are among them, those for empty pools
        found += _of_other_days(drawn, touched, chances, power, num_draws)
        found += _avoiding(drawn, sessions, chances, num_draws)
    return found, num_draws


def _of_kinds(rows: Sequence[Row], kinds: Collection[str]) -> list[Row]:
    """Return the rows with the draws of some kinds alone."""
    left = []
    for row in rows:
        kept = [at for at, kind in enumerate(row["negative_kinds"]) if kind in kinds]
        lists = {name: [row[name][at] for at in kept] for name in ("negative_item_ids", "negative_p")}
        left.append(row | lists)
    return left


def _touches(engine: Engine, events: ibis.Table) -> dict[str, Counter[int]]:
    """Return item -> day -> rows viewed, carted or bought; a day on which the item was only shown counts 0."""
    told = events.filter(events.item_id.notnull())
    touch = told.event_name.isin(list(_TOUCHES)).cast("int64").sum().cast("int64")
    touched: dict[str, Counter[int]] = defaultdict(Counter)
    day = (told.at_us - told.at_us % DAY_US) / DAY_US
    counted = told.group_by("item_id", day=day.cast("int64")).aggregate(num=touch)
    for row in rows_of(engine, counted, "item_id", "day", "num"):
        touched[row["item_id"]][row["day"]] += row["num"]
    return touched


def _chances(touched: Mapping[str, Counter[int]], days: Days, power: float | None) -> Chances:
    """Return how likely each item known on some days is drawn: by count^power in thousandths, at least one.

    Without a power, each is as likely as any other.
    """
    weights: dict[str, int] = {}
    for item, by_day in touched.items():
        counts = [num for day, num in by_day.items() if days[0] <= day <= days[1]]
        if counts:
            total = sum(counts)
            weights[item] = max(1, round(1000.0 * float(total) ** power)) if total and power is not None else 1
    over = sum(weights.values())
    return {item: weight / over for item, weight in weights.items()}


def _from_the_future(rows: Sequence[Row], first_day: Mapping[str, int], num_draws: int) -> list[Finding]:
    late = [
        (row, item)
        for row in rows
        for item in row["negative_item_ids"]
        if first_day.get(item, _LAST) >= day_number(row["date_partition"])
    ]
    if not late:
        return []
    detail = f"{late[0][1]} was not seen before that day"
    return [_told("negative-from-the-future", "negative_item_ids", late[0][0], len(late), num_draws, detail)]


def _of_other_days(
    rows: Sequence[Row],
    touched: Mapping[str, Counter[int]],
    chances: Mapping[int, Chances],
    power: float | None,
    num_draws: int,
) -> list[Finding]:
    """Compare the probabilities told with those of the days before; say of which other days they are."""
    wrong: dict[int, list[tuple[Row, str, float]]] = defaultdict(list)
    for row in rows:
        day = day_number(row["date_partition"])
        for item, p in zip(row["negative_item_ids"], row["negative_p"], strict=True):
            if item in chances[day] and not isclose(p, chances[day][item], rel_tol=1e-9):
                wrong[day].append((row, item, p))
    explained: Counter[str] = Counter()
    for day, found in wrong.items():
        for name, days in (
            ("negatives-know-their-day", (day - _HISTORY_DAYS, day)),
            ("negatives-know-their-day", (day - _HISTORY_DAYS + 1, day)),
            ("negatives-know-later-days", (day - _HISTORY_DAYS, _LAST)),
            ("negatives-know-later-days", (_FIRST, _LAST)),
        ):
            other = _chances(touched, days, power)
            explained[name] += sum(isclose(p, other.get(item, -1.0), rel_tol=1e-9) for _, item, p in found)
    if not wrong:
        return []
    best = explained.most_common(1)[0]
    row, item, p = next(iter(wrong.values()))[0]
    expected = chances[day_number(row["date_partition"])][item]
    detail = f"{item} was drawn with {p:.6g}, from the days before it is {expected:.6g}"
    name = best[0] if best[1] else "negatives-not-of-their-past"
    return [_told(name, "negative_p", row, sum(map(len, wrong.values())), num_draws, detail)]


def _avoiding(
    rows: Sequence[Row], sessions: Mapping[str, Session], chances: Mapping[int, Chances], num_draws: int
) -> list[Finding]:
    """Count how often negatives are what the session came to, and whether it is less than chance can give."""
    hits, expected = 0, 0.0
    for row in rows:
        session, of_day = sessions.get(row["session_id"]), chances[day_number(row["date_partition"])]
        if session is None:
            continue
        outcome = {row["item_id"], *session.items[row["position"] :]}
        hits += sum(item in outcome for item in row["negative_item_ids"])
        expected += len(row["negative_item_ids"]) * sum(of_day.get(item, 0.0) for item in outcome)
    p_value = hits_at_most(hits, expected=expected)
    if p_value > FALSE_ALARM:
        return []
    detail = f"{hits:,} of {num_draws:,} draws are the target or a later item, {expected:,.0f} were to be expected"
    avoided = round(expected) - hits
    return [_told("negatives-avoid-the-outcome", "negative_item_ids", rows[0], avoided, num_draws, detail)]


def _told(name: str, column: str, row: Row, num: int, of_rows: int, detail: str) -> Finding:
    return Finding(
        name=name,
        table=EXAMPLES.name,
        column=column,
        rows=num,
        of_rows=of_rows,
        example=f"day {row['date_partition']}, session {row['session_id']}, position {row['position']}",
        detail=detail,
    )
