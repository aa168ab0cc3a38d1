"""Do histories reach into their day, and does an event or a session stand in two places? Asked of every sequence."""

import ibis

from endcap.core.clock import DAY_US
from endcap.core.tables import SEQUENCES
from endcap.engines.port import Engine
from endcap.features.findings import Finding
from endcap.features.leakage_sample import ShopTables, rows_of

__all__ = ["leaks_of_sequences"]

_LEAST_COPY = 3
"""Items from which on two sessions of the same items and instants are copies. 3: two shoppers may well look at one item
at one recorded second, hardly at three."""


def leaks_of_sequences(engine: Engine, tables: ShopTables) -> tuple[list[Finding], int]:
    """Look for leaks in SEQUENCES.

    Args:
        engine: Computes the checks.
        tables: The shop.

    Returns:
        Findings, and how many sequences were looked at.
    """
    elements = engine.materialise(_elements(tables.sequences))
    told = tables.events.select("event_id", "user_key", "device_key", "at_us", event_name="event_name")
    num_histories, num_sessions = _num(engine, tables.sequences, "user"), _num(engine, tables.sequences, "session")
    found = [
        *_histories(engine, elements, told, num_histories),
        *_in_two_sessions(engine, elements, num_sessions),
        *_doubled(engine, tables.sequences, num_sessions),
        *_under_another_user(engine, elements, told, num_sessions),
    ]
    engine.drop(elements)
    return found, num_histories + num_sessions


def _elements(sequences: ibis.Table) -> ibis.Table:
    """Return one row for each element of every sequence."""
    # Zipped: lists unnested beside each other are every pair to Spark.
    lists = sequences.item_ids.zip(sequences.event_ids, sequences.at_us_list)
    each = sequences.select(
        "date_partition",
        "scope",
        "user_key",
        "session_id",
        day_us=sequences.date_partition.cast("date").epoch_days().cast("int64") * DAY_US,
        told=lists.unnest(),
    )
    return each.select(
        "date_partition", "scope", "user_key", "session_id", "day_us",
        item_id=each.told.f1, event_id=each.told.f2, at_us=each.told.f3,
    )  # fmt: skip


def _num(engine: Engine, sequences: ibis.Table, scope: str) -> int:
    return int(rows_of(engine, sequences.filter(sequences.scope == scope).count().as_table())[0].popitem()[1])


def _histories(engine: Engine, elements: ibis.Table, told: ibis.Table, of_rows: int) -> list[Finding]:
    """Histories with elements of their day: by the instants that they tell, and by those of their events."""
    of_users = elements.filter(elements.scope == "user")
    late = of_users.filter(of_users.at_us >= of_users.day_us)
    # An id may be used twice, days apart: an event counts as late when none of its id and user was earlier.
    began = told.group_by("event_id", "user_key").aggregate(began_us=told.at_us.min())
    quiet = of_users.filter(of_users.at_us < of_users.day_us).inner_join(began, ["event_id", "user_key"])
    moved = quiet.filter(quiet.began_us >= quiet.day_us)
    return [
        *_told(engine, late, "history-holds-its-day", "at_us_list", of_rows, "an instant is not before the day"),
        *_told(engine, moved, "history-holds-its-session", "event_ids", of_rows,
               "the event came on the day or later, the history says before"),
    ]  # fmt: skip


def _in_two_sessions(engine: Engine, elements: ibis.Table, of_rows: int) -> list[Finding]:
    """Elements that stand in more than one session."""
    of_sessions = elements.filter(elements.scope == "session")
    named = of_sessions.group_by("event_id", "item_id", "at_us").aggregate(
        session_id=of_sessions.session_id.max(),
        user_key=of_sessions.user_key.max(),
        date_partition=of_sessions.date_partition.max(),
        num=of_sessions.session_id.nunique(),
    )
    twice = named.filter(named.num > 1)
    return _told(engine, twice, "event-in-two-sessions", "event_ids", of_rows, "one of its events is in another, too")


def _doubled(engine: Engine, sequences: ibis.Table, of_rows: int) -> list[Finding]:
    """Sessions of three items or more, not all of one instant, that another session repeats under other event ids."""
    of_sessions = sequences.filter(sequences.scope == "session")
    length = of_sessions.item_ids.length()
    spread = (length >= _LEAST_COPY) & (of_sessions.at_us_list[0] < of_sessions.at_us_list[length - 1])
    long = of_sessions.filter(spread)
    same = long.group_by("item_ids", "at_us_list").aggregate(
        session_id=long.session_id.max(),
        user_key=long.user_key.max(),
        date_partition=long.date_partition.max(),
        num=long.session_id.nunique(),
        num_events=long.event_ids.nunique(),
    )
    copies = same.filter((same.num > 1) & (same.num_events > 1))
    return _told(engine, copies, "session-doubled", "item_ids", of_rows, "another session has its items and instants")


def _under_another_user(engine: Engine, elements: ibis.Table, told: ibis.Table, of_rows: int) -> list[Finding]:
    """Elements of sessions whose event stands in `events` under another user."""
    of_sessions = elements.filter(elements.scope == "session")
    astray = of_sessions.anti_join(told, ["event_id", "user_key", "at_us"])
    others = told.select("event_id", "at_us", "device_key", event_user="user_key").distinct()
    known = engine.materialise(astray.inner_join(others, ["event_id", "at_us"]))
    logins = (
        told.filter(told.device_key.notnull()).group_by("device_key", "user_key").aggregate(first_us=told.at_us.min())
    )
    later = known.inner_join(logins, ["device_key", "user_key"])
    later = later.filter(later.first_us > later.at_us)
    unknown = known.anti_join(later, ["session_id", "event_id"])
    found = [
        *_told(engine, later, "user-key-of-a-later-login", "user_key", of_rows,
               "its user was first seen on this device after the event"),
        *_told(engine, unknown, "user-key-not-its-event's", "user_key", of_rows, "its event is another user's"),
    ]  # fmt: skip
    engine.drop(known)
    return found


def _told(engine: Engine, faulty: ibis.Table, name: str, column: str, of_rows: int, detail: str) -> list[Finding]:
    """Count the sequences that have a fault, and name the first of them."""
    sequences = faulty.select("date_partition", "user_key", "session_id").distinct()
    found = rows_of(engine, sequences.order_by(["date_partition", "session_id", "user_key"]).limit(1))
    if not found:
        return []
    num = rows_of(engine, sequences.count().as_table())[0].popitem()[1]
    row = found[0]
    named = f"session {row['session_id']}" if row["session_id"] else f"user {row['user_key']}"
    return [
        Finding(
            name=name,
            table=SEQUENCES.name,
            column=column,
            rows=num,
            of_rows=of_rows,
            example=f"day {row['date_partition']}, {named}",
            detail=detail,
        )
    ]
