"""Runs with one fault each, and what the next run makes of the shop; runners that sleep beyond their lease."""

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
from endcap.testing.faults import Fault, FaultKind
from endcap.testing.forked import run_forked, start_forked, wait_forked

__all__ = [
    "BUCKET",
    "Faulted",
    "Holdings",
    "Scene",
    "choose_fault",
    "copy_shop",
    "fault_and_resume",
    "holdings",
    "pause_and_resume",
    "undisturbed",
]

BUCKET = "shops"
"""In which all shops of an object store lie, each below the name of its folder's folder."""

_FAR = [FaultKind.ANSWER_LOST, FaultKind.SLOW_DOWN, FaultKind.REFUSED]
_OF_A_DISK = [FaultKind.KILL_BEFORE, FaultKind.KILL_AFTER, FaultKind.NO_SPACE, FaultKind.TORN]
_KINDS = {
    "s3/get": _FAR,
    "s3/list": _FAR,
    "s3": [FaultKind.KILL_BEFORE, FaultKind.KILL_AFTER, FaultKind.TORN, *_FAR],
    "catalog": [*_OF_A_DISK, FaultKind.ANSWER_LOST],
    "": _OF_A_DISK,
}
"""Start of the name of an operation -> what can go wrong there."""


@dataclass(frozen=True)
class Scene:
    """What is done, and to which shop.

    Args:
        fresh: The shop as it is before; its folder is copied for each run.
        days: First and last day of a backfill by two processes; () for a refresh.
        far: Endpoint of the object store in whose bucket `BUCKET` the shops lie; "" for shops on local files.
    """

    fresh: Path
    days: tuple[str, ...] = ()
    far: str = ""

    def words(self, shop: Path) -> list[str]:
        """Return the words of the command that is disturbed."""
        if not self.days:
            return ["refresh", str(shop)]
        return ["backfill", str(shop), "--from", self.days[0], "--to", self.days[1], "--parallel", "2"]

    def workers(self, shop: Path) -> list[str]:
        """Return the words of a worker's command."""
        return [str(shop), "2"] if self.days else []


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
        met: Whether the run came to that operation.
        code: How the run ended.
        differences: Parts that are not as in the undisturbed run.
        lost: Events of the undisturbed run that are missing.
        doubled: Events that stand more often than there.
        late_writes: Tables and bundles that a paused runner changed after another one took over.
    """

    fault: Fault
    met: bool
    code: int
    differences: tuple[str, ...]
    lost: int
    doubled: int
    late_writes: int = 0


def choose_fault(operations: Sequence[str], seed: int, *, kinds: Sequence[FaultKind] = ()) -> Fault:
    """Draw an operation and what goes wrong there; each name of an operation is as likely as any other.

    Args:
        operations: Names of the operations of an undisturbed run.
        seed: Of the draw.
        kinds: What may go wrong; by default all that can at such an operation, but a pause.
    """
    draw = np.random.default_rng(seed)
    # A pause inside a transaction of SQLite holds everybody up: that is no runner that anybody could take over from.
    can_pause = [name for name in operations if name != "catalog" and not name.startswith("s3/")]
    known = can_pause if FaultKind.PAUSE in kinds else operations
    named = sorted(set(known))
    name = named[int(draw.integers(len(named)))]
    wanted = list(kinds) or next(each for start, each in _KINDS.items() if _bare(name).startswith(start))
    kind = wanted[int(draw.integers(len(wanted)))]
    return Fault(kind, name, 1 + int(draw.integers(operations.count(name))))


def _bare(name: str) -> str:
    return name.removeprefix("worker/")


def copy_shop(scene: Scene, place: Path) -> None:
    """Copy the shop before its run to a folder, and to a prefix of its own in the bucket."""
    shutil.copytree(scene.fresh, place, symlinks=True)
    if scene.far:
        old, new = scene.fresh.parent.name, place.parent.name
        path = place / "endcap.toml"
        path.write_text(path.read_text().replace(f"s3://{BUCKET}/{old}/", f"s3://{BUCKET}/{new}/"))
        run_forked(lambda: _copy_objects(scene.far, f"{old}/", f"{new}/"))


def undisturbed(scene: Scene, place: Path) -> tuple[list[str], Holdings]:
    """Copy the shop and let it be done without a fault; return the operations and what the shop then holds."""
    copy_shop(scene, place)
    code, told = _run(scene, place, far=scene.far)
    again = _finish(scene, place)
    if code or again:
        raise RuntimeError(f"the undisturbed run ended with {code}, and what follows it with {again}")
    return told, holdings(place)


def fault_and_resume(scene: Scene, place: Path, wanted: Holdings, fault: Fault) -> Faulted:
    """Copy the shop, have it done with a fault, then once more without one, and compare.

    Args:
        scene: What is done.
        place: Folder for the copy.
        wanted: What the shop holds after an undisturbed run.
        fault: What goes wrong, and when.
    """
    copy_shop(scene, place)
    code, told = _run(scene, place, fault, far=scene.far)
    again = _run(scene, place)[0] or _finish(scene, place)
    return _compare(fault, told, code, holdings(place), wanted, again)


def pause_and_resume(scene: Scene, place: Path, wanted: Holdings, fault: Fault) -> Faulted:
    """Stop a run at an operation, let its leases run out, let another one do all, and wake the first one."""
    copy_shop(scene, place)
    child = start_forked(lambda: _main(scene.words(place)), fault, far=scene.far)
    _, status = os.waitpid(child.pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        return _compare(fault, [], os.waitstatus_to_exitcode(status), holdings(place), wanted, 0)
    # Closed here and now: a connection is part of a cycle, and the last one to close takes the -wal file away.
    with closing(sqlite3.connect(place / "endcap.db")) as catalog, catalog:
        catalog.execute("UPDATE lease SET expires_at_us = 0")
    again, _ = _run(scene, place)
    before = holdings(place)
    os.kill(child.pid, signal.SIGCONT)
    code, told = wait_forked(child)
    after = holdings(place)
    late = sum(before.versions[name] != after.versions[name] for name in before.versions)
    return _compare(fault, told, code, after, wanted, again, late)


def holdings(shop: Path) -> Holdings:
    """Read what a shop holds, in a process of its own: the caller can be forked afterwards."""
    told = shop.parent / "holdings.json"
    told.unlink(missing_ok=True)
    run_forked(lambda: _tell(shop, told))
    if not told.exists():
        return Holdings({"shop": "cannot be read"}, {}, {})
    return Holdings(**json.loads(told.read_text()))


def _run(scene: Scene, shop: Path, fault: Fault | None = None, *, far: str = "") -> tuple[int, list[str]]:
    return run_forked(lambda: _main(scene.words(shop)), fault, far=far, workers=scene.workers(shop))


def _finish(scene: Scene, shop: Path) -> int:
    """Put in force what a backfill has made: then two shops can be compared."""
    return run_forked(lambda: _promote(shop))[0] if scene.days else 0


def _main(words: list[str]) -> int:
    from endcap.cli.main import main  # noqa: PLC0415 - the name would hide the module's own words

    return main(words)


def _promote(shop: Path) -> int:
    with open_flow(find_shop(shop), through="", progress=lambda _report: None) as flow:
        made = flow.ledger.outputs("bundle")[""]["bundle_id"]
    return _main(["promote", str(shop), made])


def _copy_objects(endpoint: str, old: str, new: str) -> int:
    from obstore.store import from_url  # noqa: PLC0415 - it must not be touched before the fork

    store: Any = from_url(f"s3://{BUCKET}", config={"endpoint": endpoint}, client_options={"allow_http": True})
    for chunk in store.list(old):
        for each in chunk:
            store.copy(each["path"], new + each["path"].removeprefix(old))
    return 0


def _tell(shop: Path, place: Path) -> int:
    content = shop_content(shop)
    opened = find_shop(shop)
    with open_flow(opened, through="", progress=lambda _report: None) as flow:
        rows = flow.engine.to_arrow(flow.read(EVENTS).select("event_id", "item_ordinal")).to_pylist()
        versions = {name: flow.tables.version(table) for name, table in TABLES.items()}
        open_attempts = sum(each["outcome"] == "running" for each in flow.ledger.attempts(limit=10_000))
    events = Counter(f"{row['event_id']}/{row['item_ordinal']}" for row in rows)
    content["attempts that never ended"] = str(open_attempts)
    told = {"content": content, "events": events, "versions": {**versions, "current": opened.bundle_in_force()}}
    place.write_text(json.dumps(told))
    return 0


def _compare(  # noqa: PLR0913, PLR0917 - the two runs, each with how it ended
    fault: Fault, told: Sequence[str], code: int, found: Holdings, wanted: Holdings, again: int, late: int = 0
) -> Faulted:
    names = sorted({*found.content, *wanted.content})
    differing = tuple(name for name in names if found.content.get(name) != wanted.content.get(name))
    ended = (f"the next run ended with {again}",) if again else ()
    lost, doubled = _missing(wanted.events, found.events), _missing(found.events, wanted.events)
    met = told.count(fault.name) >= fault.number
    return Faulted(fault, met, code, (*ended, *differing), lost, doubled, late)


def _missing(these: Mapping[str, int], those: Mapping[str, int]) -> int:
    return sum(max(0, number - those.get(event, 0)) for event, number in these.items())
