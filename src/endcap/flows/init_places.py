"""What `endcap init` looks at where the source is no folder: copies of objects, or the first rows of a query."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
from pydantic import ValidationError

from endcap.core.errors import Code, SourceError, UsageError
from endcap.events.config import EventsConfig
from endcap.events.place_config import DatabaseSource, is_object_url, known_source
from endcap.events.pulled_objects import latest_objects, mirror_objects
from endcap.events.row_values import as_arrow
from endcap.flows.config import parse_config
from endcap.flows.shop import Shop
from endcap.flows.wiring.places import open_objects, open_query

__all__ = ["Place", "Seen", "looked_at"]

_SAMPLE_ROWS = 1_000


@dataclass(frozen=True)
class Place:
    """Where a shop's events come from, as a user says it.

    Args:
        source: A folder, the URL of an object store (s3://bucket/prefix) or of a database.
        query: A table's name or a SELECT, of a database.
        watermark: The column that grows with every row, of a database.
        endpoint: URL of an S3-compatible server; "" for the cloud's own.
    """

    source: str
    query: str = ""
    watermark: str = ""
    endpoint: str = ""


@dataclass(frozen=True)
class Seen:
    """Where a source can be looked at.

    Args:
        folder: Of the files.
        source: What `events.source` shall say.
        settings: Further settings of `[events]`: how the place is reached.
        found: What was fetched, sentences.
    """

    folder: Path
    source: str
    settings: Mapping[str, Any]
    found: tuple[str, ...] = ()


@contextmanager
def looked_at(root: Path, place: Place) -> Iterator[Seen]:
    """Have a source where it can be looked at, for the length of the block.

    Objects are copied to where the step `pull` looks for them; of a database the first rows are read.

    Args:
        root: The shop's folder.
        place: The source, as the user said it.

    Raises:
        SourceError: It is not there, or cannot be reached.
        UsageError: The URL or what belongs to it cannot be used.
    """
    source = place.source
    if "://" in source and not is_object_url(source):
        with _rows(root, place) as seen:
            yield seen
        return
    _refuse(place.query or place.watermark, "--query and --watermark are for the URL of a database", "leave them out")
    if is_object_url(source):
        yield _objects(root, place)
        return
    _refuse(place.endpoint, "--endpoint is for the URL of an object store", "leave it out")
    if not Path(source).is_dir():
        raise SourceError(
            "there is no such folder", where=source, fix="name the folder of the export", code=Code.SOURCE_MISSING
        )
    yield Seen(Path(source).resolve(), str(Path(source).resolve()), {})


def _objects(root: Path, place: Place) -> Seen:
    source, endpoint = place.source, place.endpoint
    try:
        events = EventsConfig.model_validate(
            {"source": known_source(source), "objects": {"endpoint": endpoint} if endpoint else {}}
        )
    except (ValidationError, ValueError) as error:
        raise _unusable(error) from error
    shop = Shop(root.resolve(), parse_config(_BARE, where="", environment={}))
    shop.root.mkdir(parents=True, exist_ok=True)
    shop.make_pulled()
    store = open_objects(events)
    files = latest_objects([each for each in store.list() if not each.key.endswith("/")], ["*"])
    if not files:
        raise SourceError("there is no object", where=source, fix="correct bucket and prefix", code=Code.SOURCE_MISSING)
    mirror_objects(store, files, shop.pulled_objects, scratch=shop.scratch / "init")
    settings = {"objects": {"endpoint": endpoint}} if endpoint else {}
    return Seen(shop.pulled_objects, source, settings, (f"{len(files):,} objects, which were copied below the shop",))


_BARE = '[shop]\nproject = "shop"\n[events]\nsource = "."\n'


@contextmanager
def _rows(root: Path, place: Place) -> Iterator[Seen]:
    url = place.source
    _refuse(
        not (place.query and place.watermark),
        "a database needs a query and the column that grows",
        "add --query TABLE --watermark COLUMN",
    )
    kind, mark, path = url.partition(":///")
    if kind == "sqlite" and mark:
        url = f"sqlite:///{Path(path).resolve()}"  # endcap.toml reads it from the shop's folder on
    try:
        settings = DatabaseSource(url=url, query=place.query, watermark=place.watermark)
    except ValidationError as error:
        raise _unusable(error) from error
    with TemporaryDirectory(prefix="endcap-init-") as folder, open_query(root, settings) as opened:
        opened.latest()
        part = next(opened.read(None, num_rows=_SAMPLE_ROWS), None)
        if part is None or not part.rows:
            raise SourceError(
                "the query has no rows", where="--query", fix="fill the table first", code=Code.SOURCE_MISSING
            )
        pq.write_table(as_arrow(part.columns, part.rows, {}), Path(folder) / "rows.parquet")
        told = settings.model_dump(include={"url", "query", "watermark"})
        yield Seen(Path(folder), "", {"database": told}, (f"the first {len(part.rows):,} rows were looked at",))


def _refuse(wrong: object, what: str, fix: str) -> None:
    if wrong:
        raise UsageError(what, where="endcap init", fix=fix, code=Code.USAGE)


def _unusable(error: ValueError) -> UsageError:
    """Tell the first fault. What was typed is not repeated: it may hold a secret."""
    what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
    return UsageError(what.removeprefix("Value error, "), where="--source, --query", fix="correct it", code=Code.USAGE)
