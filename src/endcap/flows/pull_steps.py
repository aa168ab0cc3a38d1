"""The step before ingest of shops whose events lie elsewhere: rows of a database, objects of an object store."""

import shutil

from endcap.core.errors import Code, SourceError
from endcap.core.ids import digest_of
from endcap.events.catalogue_config import NoCatalogue
from endcap.events.config import EventsConfig
from endcap.events.pulled_objects import digest_of_objects, held_objects, latest_objects, mirror_objects
from endcap.events.pulled_rows import latest_rows, pull_rows, pulled_files
from endcap.flows.flow import Flow, Outcome
from endcap.flows.plans import Plan
from endcap.stores.objects import StoredObject

__all__ = ["is_pull_there", "plan_pull", "pulls", "run_pull"]


def pulls(flow: Flow) -> bool:
    """Say whether a shop has anything to pull."""
    events = flow.shop.config.events
    return events.database is not None or events.has_object_source


def plan_pull(flow: Flow) -> Plan:
    """One partition: what the places say is the latest there is. Where that is what it was, nothing is read."""
    events, inputs = flow.shop.config.events, {}
    if events.database is not None:
        inputs["database"] = digest_of(events.database.model_dump())
        with flow.places.open_query() as query:
            inputs |= latest_rows(query, events.database)
    if events.has_object_source:
        inputs["objects"] = digest_of_objects(_wanted(flow))
    return {"": inputs} if inputs else {}


def run_pull(flow: Flow, _pending: list[str]) -> Outcome:
    """Bring what is new below the shop."""
    events, shop = flow.shop.config.events, flow.shop
    scratch = shop.scratch / f"pull-{flow.run_id}"
    shop.make_pulled()
    told, output = [], {}
    if events.database is not None:
        with flow.places.open_query() as query:
            num_rows = pull_rows(query, shop.pulled_rows, events.database, scratch=scratch)
        output["num_files"] = len(pulled_files(shop.pulled_rows))
        told.append(f"{num_rows:,} new rows")
    if events.has_object_source:
        wanted = _wanted(flow)
        done = mirror_objects(flow.places.open_objects(), wanted, shop.pulled_objects, scratch=scratch)
        output["num_objects"] = len(held_objects(shop.pulled_objects))
        told.append(f"{done.num_fetched:,} new objects ({done.num_bytes:,} bytes), {done.num_gone:,} gone")
    shutil.rmtree(scratch, ignore_errors=True)
    return Outcome(output={"": output}, detail=output, note="; ".join(told))


def is_pull_there(flow: Flow, partition: str) -> bool:
    """Say whether all that was pulled still lies below the shop."""
    output, shop = flow.ledger.outputs("pull").get(partition, {}), flow.shop
    num_files = len(list(shop.pulled_rows.glob("rows_*.parquet"))) if "num_files" in output else 0
    num_objects = len(held_objects(shop.pulled_objects)) if "num_objects" in output else 0
    return bool(num_files >= output.get("num_files", 0) and num_objects >= output.get("num_objects", 0))


def _wanted(flow: Flow) -> list[StoredObject]:
    """List the objects that the settings name.

    Raises:
        SourceError: There is none (SOURCE_MISSING): mostly the prefix is wrong, so nothing is taken for gone.
    """
    events = flow.shop.config.events
    globs, found = _globs(events), flow.places.open_objects().list()
    wanted = latest_objects(found, globs)
    if not wanted:
        raise SourceError(
            f"none of the {len(found):,} objects there is named {' or '.join(repr(glob) for glob in globs)}",
            where=f"events.source = {events.source!r}",
            fix="correct events.source, and events.reader.files or events.catalogue.file; nothing was removed",
            code=Code.SOURCE_MISSING,
        )
    return wanted


def _globs(events: EventsConfig) -> list[str]:
    globs = [] if events.database is not None else [events.reader.files]
    if isinstance(events.catalogue, NoCatalogue):
        return globs
    named = (events.catalogue.file, events.catalogue.feeds, events.catalogue.updates)
    return [*globs, *[glob for glob in named if glob]]
