"""The steps that learn what is for sale: what feeds and updates say, what events say, and items with their versions."""

import hashlib
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from endcap.core.clock import day_start_us, next_day
from endcap.core.errors import Code, SourceError
from endcap.core.tables import CATALOGUE, EVENTS, ITEM_MENTIONS
from endcap.events.catalogue_config import NoCatalogue
from endcap.events.catalogue_files import CatalogueFile, catalogue_files, day_said, in_order, is_seen, plan_days_said
from endcap.events.items import build_items
from endcap.events.mentions import build_mentions
from endcap.events.said import quarantined_under, read_said
from endcap.flows.flow import Flow, Outcome
from endcap.flows.plans import Plan, days_of, planned

__all__ = ["plan_catalogue", "plan_items", "plan_mentions", "run_catalogue", "run_items", "run_mentions"]


def _files(flow: Flow) -> list[CatalogueFile]:
    catalogue = flow.shop.config.events.catalogue
    return [] if isinstance(catalogue, NoCatalogue) else catalogue_files(catalogue, flow.shop.feed_folder)


class _Digests:
    """Digests of files; one whose size and time of change are as they were is not read again.

    Args:
        outputs: What the step left behind for each partition.
    """

    def __init__(self, outputs: dict[str, Any]) -> None:
        stats = [output.get("stats", {}).items() for output in outputs.values()]
        self._known = {(key, size, mtime_ns): sha256 for each in stats for key, (size, mtime_ns, sha256) in each}

    def stat(self, file: CatalogueFile) -> list[Any]:
        """Return the size, the time of change in nanoseconds and the digest of a file that is there."""
        stat = file.path.stat()
        place = (file.key, stat.st_size, stat.st_mtime_ns)
        if place not in self._known:
            with file.path.open("rb") as opened:
                self._known[place] = hashlib.file_digest(opened, "sha256").hexdigest()
        return [*place[1:], self._known[place]]

    def __call__(self, file: CatalogueFile) -> str:
        """Return the digest of a file, "" where it is not there."""
        return str(self.stat(file)[-1]) if file.path.is_file() else ""


def plan_catalogue(flow: Flow) -> Plan:
    """A partition for each day of a feed or an update, and one for what a feed without a day says now.

    Raises:
        SourceError: SOURCE_MISSING: settings name feeds or updates by day, and there has never been one.
    """
    if not flow.through:
        return {}
    files, outputs = _files(flow), flow.ledger.outputs("catalogue")
    made = {partition: output.get("files", {}) for partition, output in outputs.items()}
    _refuse_no_files(
        flow, [*(file.key for file in files if file.day), *(key for each in made.values() for key in each)]
    )
    return plan_days_said(files, made, _Digests(outputs), through=flow.through, again="catalogue" in flow.again)


def run_catalogue(flow: Flow, pending: list[str]) -> Outcome:
    """Read the files of the pending days."""
    config, files, outputs = flow.shop.config.events, _files(flow), flow.ledger.outputs("catalogue")
    digests, num_feeds = _Digests(outputs), {name: output.get("num_feed", 0) for name, output in outputs.items()}
    read = {}
    for partition in in_order(pending):
        own = [file for file in files if file.day == ("" if is_seen(partition) else partition)]
        earlier = [name for name in in_order({*num_feeds, partition}) if num_feeds.get(name) or name == partition]
        before = earlier[: earlier.index(partition)] if "catalogue" not in flow.again else []
        stats = {file.key: digests.stat(file) for file in own if file.path.is_file()}
        said = read_said(partition, own, config, num_before=num_feeds[before[-1]] if before else 0)
        made_of = {key: stat[-1] for key, stat in stats.items()}
        read[partition] = said, {"files": made_of, "stats": stats, "num_feed": said.num_feed}
        num_feeds[partition] = said.num_feed
    bad = pa.concat_tables([said.quarantine for said, _ in read.values()])
    return Outcome(
        tables={
            "catalogue": flow.engine.read_arrow(pa.concat_tables([said.rows for said, _ in read.values()])),
            "quarantine": flow.engine.read_arrow(bad),
        },
        partitions={"quarantine": [quarantined_under(partition) for partition in read]},
        output={partition: output for partition, (_, output) in read.items()},
        note=f"{bad.num_rows:,} lines in quarantine" if bad.num_rows else "",
    )


def plan_mentions(flow: Flow) -> Plan:
    """A partition for each day of events, made of that day alone."""
    return planned(flow, days_of(flow, EVENTS, ITEM_MENTIONS), (EVENTS, lambda day: (day, day)))


def run_mentions(flow: Flow, pending: list[str]) -> Outcome:
    """Sum up what the events of the pending days say of items."""
    return Outcome(tables={"item_mentions": build_mentions(flow.read(EVENTS, pending), flow.shop.config.events)})


def plan_items(flow: Flow) -> Plan:
    """One partition: all items, from all that was said of them up to the last day."""
    if not flow.through:
        return {}
    said = {
        **flow.digests(CATALOGUE, _partitions_said(flow)),
        **flow.digests(ITEM_MENTIONS, _days_of_mentions(flow)),
    }
    return {"": {"through": flow.through, **said}}


def _days_of_mentions(flow: Flow) -> list[str]:
    """Return the days up to the last one and, where it is there, the one after: its sessions may end on it."""
    parts = flow.ledger.parts(ITEM_MENTIONS.name)
    return [day for day, part in parts.items() if part.rows and day <= next_day(flow.through)]


def run_items(flow: Flow, _pending: list[str]) -> Outcome:
    """Make the versions of all items anew; what was known before plays no part."""
    engine, until_us = flow.engine, day_start_us(next_day(flow.through))
    catalogue = flow.read(CATALOGUE, _partitions_said(flow))
    mentions = flow.read(ITEM_MENTIONS, _days_of_mentions(flow))
    items = engine.materialise(build_items(catalogue, mentions, flow.shop.config.events, until_us=until_us))
    in_force = items.filter(items.valid_to_us.isnull())
    num_items = engine.to_arrow(in_force.count().as_table()).column(0)[0].as_py()
    return Outcome(
        tables={"items": items},
        output={"": {"num_items": num_items}},
        note=f"{num_items:,} items in force",
        release=lambda: engine.drop(items),
    )


def _partitions_said(flow: Flow) -> list[str]:
    """Return the partitions of CATALOGUE up to the last day."""
    dated, parts = flow.days(CATALOGUE), flow.ledger.parts(CATALOGUE.name)
    seen = [name for name, part in parts.items() if is_seen(name) and part.rows and day_said(name) <= flow.through]
    return [*dated, *seen]


def _refuse_no_files(flow: Flow, keys: Iterable[str]) -> None:
    """Refuse a glob of feeds or updates that nothing was ever found by: a slip."""
    catalogue = flow.shop.config.events.catalogue
    if isinstance(catalogue, NoCatalogue):
        return
    known = {key.split(":", 1)[0] for key in keys}
    for kind, glob in (("feed", catalogue.feeds), ("update", catalogue.updates)):
        if glob and kind not in known:
            raise SourceError(
                f"no file in {flow.shop.feed_folder} matches {glob!r}",
                where=f"events.catalogue.{kind}s",
                fix="correct the glob in endcap.toml, or leave it out",
                code=Code.SOURCE_MISSING,
            )
