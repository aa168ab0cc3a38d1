"""Do contexts, labels and exposures know what comes after them? Sampled sessions are put together anew, event by event.

Nothing here uses the code that makes sequences and examples: an error there would be repeated.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ibis

from endcap.core.contract import Table
from endcap.core.tables import EXAMPLES, EXPOSURES
from endcap.engines.port import Engine
from endcap.features.config import FeaturesConfig
from endcap.features.findings import Finding
from endcap.features.leakage_sample import ShopTables, rows_of

__all__ = ["Session", "Visit", "leaks_of_examples", "leaks_of_exposures", "sessions_anew"]

_LABELS = {"carted": "add_to_cart", "purchased": "purchase"}

Row = dict[str, Any]


@dataclass(frozen=True)
class Visit:
    """Consecutive elements of one item.

    Args:
        item_id: The item.
        at_us: Instant of the first element.
        element: Its place among the session's elements.
    """

    item_id: str
    at_us: int
    element: int


@dataclass(frozen=True)
class Session:
    """What a session is made of.

    Args:
        session_id: Its id.
        user_key: Whose it is.
        started_us: Its first instant.
        ended_us: Its last instant.
        elements: Events of [features] sequence_events with an item, in order.
        of_item: Item -> the user's events with it, in the session and outside it.
        visits: The elements, collapsed.
        items: The visits' items.
    """

    session_id: str
    user_key: str
    started_us: int
    ended_us: int
    elements: tuple[Row, ...]
    of_item: dict[str, list[Row]]
    visits: tuple[Visit, ...]
    items: list[str]


def sessions_anew(engine: Engine, tables: ShopTables, users: ibis.Table, config: FeaturesConfig) -> dict[str, Session]:
    """Put the sessions of some users together from their events.

    Args:
        engine: Reads the rows.
        tables: The shop.
        users: A column `user_key`.
        config: Which events make a sequence.

    Returns:
        Session id -> session.
    """
    told = tables.events.filter(tables.events.item_id.notnull() & (tables.events.event_name != "view_item_list"))
    by_user: dict[str, list[Row]] = defaultdict(list)
    by_item: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    names = ("user_key", "event_name", "at_us", "item_id", "event_id", "item_ordinal")
    for event in rows_of(engine, told.semi_join(users, "user_key"), *names):
        by_user[event["user_key"]].append(event)
        by_item[event["user_key"]][event["item_id"]].append(event)
    for events in by_user.values():
        events.sort(key=_order)
    found = {}
    spans = tables.sessions.semi_join(users, "user_key")
    for span in rows_of(engine, spans, "session_id", "user_key", "started_us", "ended_us"):
        events, of_item = by_user[span["user_key"]], by_item[span["user_key"]]
        first = bisect_left(events, span["started_us"], key=_instant)
        end = bisect_right(events, span["ended_us"], key=_instant)
        elements = tuple(each for each in events[first:end] if each["event_name"] in config.sequence_events)
        visits = _visits(elements)
        items = [visit.item_id for visit in visits]
        found[span["session_id"]] = Session(**span, elements=elements, of_item=of_item, visits=visits, items=items)
    return found


def _order(event: Row) -> tuple[int, str, str, int]:
    return event["at_us"], event["item_id"], event["event_id"], event["item_ordinal"]


def _instant(event: Row) -> int:
    at_us: int = event["at_us"]
    return at_us


def _visits(elements: Sequence[Row]) -> tuple[Visit, ...]:
    visits: list[Visit] = []
    for place, element in enumerate(elements):
        if not visits or visits[-1].item_id != element["item_id"]:
            visits.append(Visit(element["item_id"], element["at_us"], place))
    return tuple(visits)


def leaks_of_examples(
    engine: Engine, tables: ShopTables, sessions: dict[str, Session], users: ibis.Table, config: FeaturesConfig
) -> tuple[list[Finding], int]:
    """Look for leaks in the contexts and labels of EXAMPLES.

    Args:
        engine: Reads the rows.
        tables: The shop.
        sessions: What `sessions_anew` made of these users.
        users: A column `user_key`.
        config: How long a context is.

    Returns:
        Findings, and how many rows were looked at.
    """
    names = ("session_id", "position", "date_partition", "context_item_ids", "item_id", "at_us", *_LABELS)
    rows = rows_of(engine, tables.examples.semi_join(users, "user_key"), *names)
    faults: dict[str, list[tuple[Row, dict[str, str]]]] = defaultdict(list)
    for row in rows:
        session = sessions.get(row["session_id"])
        faults["context_item_ids"].append((row, _context_faults(row, session, config.max_sequence)))
        for label, event_name in _LABELS.items():
            if event_name not in config.sequence_events:
                continue  # then no element sets the label
            faults[label].append((row, _label_faults(row, session, label, event_name)))
    told = [
        _told(EXAMPLES, name, column, found, len(rows))
        for column, each in faults.items()
        for name, found in _parted(each)
    ]
    return told, len(rows)


def _parted(faults: Sequence[tuple[Row, dict[str, str]]]) -> Iterator[tuple[str, list[tuple[Row, str]]]]:
    """Give each faulty row to one leak: where a row can be of several, to the one that most rows can be of."""
    left = [(row, names) for row, names in faults if names]
    while left:
        name = Counter(each for _, names in left for each in names).most_common(1)[0][0]
        yield name, [(row, names[name]) for row, names in left if name in names]
        left = [(row, names) for row, names in left if name not in names]


def _context_faults(row: Row, session: Session | None, longest: int) -> dict[str, str]:
    """Return the leak of an example's context with what was seen; none for one that is as it should be."""
    place = row["position"]
    if session is None or place >= len(session.visits):
        return {"example-not-of-its-session": "the session has no such step"}
    items = session.items
    context, wanted = row["context_item_ids"], items[max(0, place - longest) : place]
    if context == wanted and row["item_id"] == items[place] and row["at_us"] == session.visits[place].at_us:
        return {}
    if context == wanted:
        return {"example-not-of-its-session": "the target or its instant is another than the events tell"}
    if context and context[-1] == row["item_id"]:
        return {"context-holds-its-target": f"it ends with {row['item_id']}, the target at position {place}"}
    before, after = set(items[:place]), set(items[place:])
    ahead = [item for item in context if item in after and item not in before]
    tails = [items[max(0, end - len(context)) : end] for end in range(place + 1, len(items) + 1)]
    if ahead or (context and context in tails):
        return {"context-holds-later-items": f"{(ahead or context)[-1]} came at or after position {place}"}
    return {"example-not-of-its-session": "the context is another than the events tell"}


def _label_faults(row: Row, session: Session | None, label: str, event_name: str) -> dict[str, str]:
    """Return the leaks that an example's label can be, with what was seen; none for one that is as it should be."""
    if session is None or row["position"] >= len(session.visits):
        return {}  # told with the context
    first = session.elements[session.visits[row["position"]].element]
    of_item = [each for each in session.of_item.get(row["item_id"], ()) if each["event_name"] == event_name
               and session.started_us <= each["at_us"] <= session.ended_us]  # fmt: skip
    is_so = any(_order(each) >= _order(first) for each in of_item)
    if row[label] == is_so:
        return {}
    later_us = [each["at_us"] for each in session.of_item.get(row["item_id"], ())
                if each["at_us"] > session.ended_us and each["event_name"] == event_name]  # fmt: skip
    faults = {}
    if row[label] and of_item:
        faults["label-already-in-the-context"] = f"the session's {event_name} of the item came before the target"
    if row[label] and later_us:
        after_s = (min(later_us) - session.ended_us) // 1_000_000
        faults["label-reaches-beyond-its-session"] = f"the {event_name} came {after_s:,} s after the session's end"
    return faults or {"label-without-its-event": f"it says {row[label]}, the session's events say {is_so}"}


def leaks_of_exposures(
    engine: Engine, tables: ShopTables, sessions: dict[str, Session], users: ibis.Table, *, click_events: Sequence[str]
) -> tuple[list[Finding], int]:
    """Look for lists that get the credit for something earlier.

    Whatever the rule by which one of several lists gets the credit, the outcome comes at or after the list.

    Args:
        engine: Reads the rows.
        tables: The shop.
        sessions: What `sessions_anew` made of these users.
        users: A column `user_key`.
        click_events: Event names that are clicks ([sessions] click_events).

    Returns:
        Findings, and how many rows were looked at.
    """
    names_of = {"clicked": tuple(click_events), "carted": ("add_to_cart",), "purchased": ("purchase",)}
    shown = tables.exposures.semi_join(users, "user_key")
    credited = shown.filter(shown.clicked | shown.carted | shown.purchased)
    rows = rows_of(engine, credited, "session_id", "date_partition", "event_id", "at_us", "item_id", *names_of)
    faults: dict[tuple[str, str], list[tuple[Row, str]]] = defaultdict(list)
    for row in rows:
        session = sessions.get(row["session_id"])
        for flag, event_names in names_of.items():
            if not row[flag]:
                continue
            came = [each["at_us"] for each in session.of_item.get(row["item_id"], ())
                    if each["event_name"] in event_names
                    and session.started_us <= each["at_us"] <= session.ended_us] if session else []  # fmt: skip
            if not came:
                faults["outcome-without-its-event", flag].append((row, "the session has no such event of the item"))
            elif max(came) < row["at_us"]:
                before_s = (row["at_us"] - max(came)) / 1e6
                faults["outcome-before-its-exposure", flag].append((row, f"it came {before_s:,.0f} s before the list"))
    return [_told(EXPOSURES, name, column, found, len(rows)) for (name, column), found in faults.items()], len(rows)


def _told(table: Table, name: str, column: str, found: Sequence[tuple[Row, str]], of_rows: int) -> Finding:
    row, seen = found[0]
    return Finding(
        name=name,
        table=table.name,
        column=column,
        rows=len(found),
        of_rows=of_rows,
        example=f"day {row['date_partition']}, session {row['session_id']}",
        detail=seen,
    )
