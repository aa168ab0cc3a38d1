"""What the catalogue's files of a day say, as rows of `catalogue`."""

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from endcap.core.clock import day_start_us
from endcap.core.tables import CATALOGUE, QUARANTINE
from endcap.engines.port import arrow_schema
from endcap.events.catalogue import read_catalogue, read_update
from endcap.events.catalogue_config import NoCatalogue
from endcap.events.catalogue_files import CatalogueFile, day_said, is_seen
from endcap.events.checks import check_feed, check_update
from endcap.events.config import EventsConfig
from endcap.events.feed import Feed

__all__ = ["Said", "quarantined_under", "read_said"]

_SEEN_LAST = 1_000_000  # more than a day has files: what is found on a day counts after what was told of it


@dataclass(frozen=True)
class Said:
    """What the files of a partition say.

    Args:
        rows: Under the contract CATALOGUE.
        quarantine: Lines that cannot be read, under the contract QUARANTINE.
        num_feed: Different items that feeds name; 0 where there are only updates.
    """

    rows: pa.Table
    quarantine: pa.Table
    num_feed: int


def quarantined_under(partition: str) -> str:
    """Return the partition of QUARANTINE under which the bad lines of a partition's files are booked."""
    return f"feed-{partition}"


def read_said(partition: str, files: Iterable[CatalogueFile], config: EventsConfig, *, num_before: int) -> Said:
    """Read the files of a partition.

    Feeds of one day are one: an item that several name is as the last one says, by name. Updates come after them, by
    name too.

    Args:
        partition: Of CATALOGUE.
        files: Its files.
        config: `[events]`.
        num_before: Items that the feed named the last time; 0 for a new shop or where a loss is wanted.

    Raises:
        DataError: TOO_MANY_BAD_ROWS: a file is mostly bad, or a feed has lost most of its items.
        SourceError: A file is missing, damaged, or lacks what every line needs.
    """
    tables, bad, named, last = [], [], set(), ""
    for ordinal, file in enumerate(sorted(files, key=lambda each: each.key)):
        read = _read(partition, file, config)
        if not file.is_update:
            named.update(read.items.column("item_id").to_pylist())
            last = file.path.name
        tables.append(_rows(read.items, partition, ordinal, is_update=file.is_update))
        bad.append(read.quarantine)
    if last:
        check_feed(len(named), 0, num_before=num_before, file=last, config=config)
    rows = pa.concat_tables([*tables, arrow_schema(CATALOGUE).empty_table()])
    return Said(rows, pa.concat_tables([*bad, arrow_schema(QUARANTINE).empty_table()]), len(named))


def _read(partition: str, file: CatalogueFile, config: EventsConfig) -> Feed:
    assert not isinstance(config.catalogue, NoCatalogue), "a file of no catalogue"
    read_file, check = (read_update, check_update) if file.is_update else (read_catalogue, _check_one)
    booked, currency = quarantined_under(partition), config.default_currency
    read = read_file(file.path, config.catalogue, default_currency=currency, day=booked)
    check(read.items.num_rows, read.quarantine.num_rows, file=file.path.name, config=config)
    return read


def _check_one(num_items: int, num_bad: int, *, file: str, config: EventsConfig) -> None:
    check_feed(num_items, num_bad, num_before=0, file=file, config=config)


def _rows(items: pa.Table, partition: str, ordinal: int, *, is_update: bool) -> pa.Table:
    """Put beside items when and in which order they are said."""
    constants = {
        "date_partition": partition,
        "ordinal": ordinal + (_SEEN_LAST if is_seen(partition) else 0),
        "kind": "update" if is_update else "feed",
        "from_us": day_start_us(day_said(partition)),
    }
    schema = arrow_schema(CATALOGUE)
    columns = [
        pa.repeat(pa.scalar(constants[field.name], field.type), items.num_rows)
        if field.name in constants
        else items.column(field.name)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
