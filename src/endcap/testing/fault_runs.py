"""Refreshes with one fault each, and what the next refresh makes of the shop; runners that sleep beyond their lease."""

import json
import os
import shutil
import signal
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from endcap.core.tables import EVENTS, TABLES
from endcap.flows.shop import find_shop
from endcap.flows.wiring.batch import open_flow
from endcap.testing.content import shop_content
from endcap.testing.faults import Fault, FaultKind, refresh_with_fault, run_forked, start_forked, wait_forked

__all__ = ["Faulted", "Holdings", "choose_fault", "fault_and_refresh", "holdings", "pause_and_refresh"]


@dataclass(frozen=True)
class Holdings:
    """What a shop holds.

    Args:
        content: Part -> digest, see `shop_content`; {"shop": why} where it cannot be read.
        events: Event and item within it -> how often it stands in the table of events.
        versions: Table -> version; what is put in force, under "current".
    """

    content: dict[str, str]
    events: dict[str, int]
    versions: dict[str, Any]


@dataclass(frozen=True)
class Faulted:
    """One run with a fault and what the next one made of it.

    Args:
        fault: What went wrong, and when.
        name: The operation it met; "" where the run had ended before.
        code: How the run ended.
        differences: Parts that are not as in the undisturbed run.
        lost: Events of the undisturbed run that are missing.
        doubled: Events that stand more often than there.
        late_writes: Tables and bundles that a paused runner changed after another one took over.
    """

    fault: Fault
    name: str
    code: int
    differences: tuple[str, ...]
    lost: int
    doubled: int
    late_writes: int = 0


def choose_fault(operations: Sequence[str], seed: int, *, kinds: Sequence[FaultKind] = ()) -> Fault:
    """Draw an operation and what goes wrong there; each kind of operation is as likely as any other.

    Args:
        operations: Names of the operations of an undisturbed run.
        seed: Of the draw.
        kinds: What may go wrong; everything but a pause by default.
    """
    draw = np.random.default_rng(seed)
    wanted = list(kinds) or [kind for kind in FaultKind if kind is not FaultKind.PAUSE]
    kind = wanted[int(draw.integers(len(wanted)))]
    # A pause inside a transaction of SQLite holds everybody up: that is no runner that anybody could take over from.
    named = sorted({name for name in operations if kind is not FaultKind.PAUSE or name != "catalog"})
    chosen = named[int(draw.integers(len(named)))]
    places = [number for number, name in enumerate(operations, 1) if name == chosen]
    return Fault(kind, places[int(draw.integers(len(places)))])


def holdings(shop: Path) -> Holdings:
    """Read what a shop holds, in a process of its own: the caller can be forked afterwards."""
    told = shop.parent / "holdings.json"
    told.unlink(missing_ok=True)
    run_forked(lambda: _tell(shop, told), None)
    if not told.exists():
        return Holdings({"shop": "cannot be read"}, {}, {})
    return Holdings(**json.loads(told.read_text()))


def fault_and_refresh(fresh: Path, place: Path, undisturbed: Holdings, fault: Fault) -> Faulted:
    """Copy a shop, refresh it with a fault, refresh it once more and compare.

    Args:
        fresh: The shop before its refresh.
        place: Folder for the copy.
        undisturbed: What the same shop holds after an undisturbed refresh.
        fault: What goes wrong, and when.
    """
    shutil.copytree(fresh, place, symlinks=True)
    code, told = refresh_with_fault(place, fault)
    again, _ = refresh_with_fault(place, None)
    return _compare(fault, told, code, holdings(place), undisturbed, again)


def pause_and_refresh(fresh: Path, place: Path, undisturbed: Holdings, fault: Fault) -> Faulted:
    """Stop a refresh at an operation, let its leases run out, let another one do all, and wake the first one."""
    shutil.copytree(fresh, place, symlinks=True)
    child = start_forked(lambda: _refresh(place), fault)
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        return _compare(fault, [], os.waitstatus_to_exitcode(status), holdings(place), undisturbed, 0)
    # Closed here and now: a connection is part of a cycle, and the last one to close takes the -wal file away.
    with closing(sqlite3.connect(place / "endcap.db")) as catalog, catalog:
        catalog.execute("UPDATE lease SET expires_at_us = 0")
    again, _ = refresh_with_fault(place, None)
    before = holdings(place)
    os.kill(child.pid, signal.SIGCONT)
    code, told = wait_forked(child)
    after = holdings(place)
    late = sum(before.versions[name] != after.versions[name] for name in before.versions)
    return _compare(fault, told, code, after, undisturbed, again, late)


def _refresh(shop: Path) -> int:
    from endcap.cli.main import main  # noqa: PLC0415 - the name would hide the module's own words

    return main(["refresh", str(shop)])


def _tell(shop: Path, place: Path) -> int:
    content = shop_content(shop)
    opened = find_shop(shop)
    with open_flow(opened, through="", progress=lambda _report: None) as flow:
        rows = flow.engine.to_arrow(flow.read(EVENTS).select("event_id", "item_ordinal")).to_pylist()
        versions = {name: flow.tables.version(table) for name, table in TABLES.items()}
    events = Counter(f"{row['event_id']}/{row['item_ordinal']}" for row in rows)
    told = {"content": content, "events": events, "versions": {**versions, "current": opened.bundle_in_force()}}
    place.write_text(json.dumps(told))
    return 0


def _compare(  # noqa: PLR0913, PLR0917 - the two runs, each with how it ended
    fault: Fault, told: Sequence[str], code: int, found: Holdings, wanted: Holdings, again: int, late: int = 0
) -> Faulted:
    names = sorted({*found.content, *wanted.content})
    differing = tuple(name for name in names if found.content.get(name) != wanted.content.get(name))
    ended = (f"the next refresh ended with {again}",) if again else ()
    met = told[fault.operation - 1] if len(told) >= fault.operation else ""
    lost, doubled = _missing(wanted.events, found.events), _missing(found.events, wanted.events)
    return Faulted(fault, met, code, (*ended, *differing), lost, doubled, late)


def _missing(these: Mapping[str, int], those: Mapping[str, int]) -> int:
    return sum(max(0, number - those.get(event, 0)) for event, number in these.items())
