"""The bundle step: one folder that names exact versions of everything, put in force by one small file.

A bundle is assembled beside, moved into its place under a name that is its content's digest, copied to the bucket where
the shop has one for them, and only then named in `bundles/current`. A run that dies leaves either the old bundle in
force or the new one.
"""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from endcap.core.clock import days_between
from endcap.core.contract import Table
from endcap.core.errors import BundleError, Code, ModelError, near
from endcap.core.manifest import FORMAT, BundleManifest, ModelEntry, SnapshotRef, read_manifest
from endcap.core.sequences import Catalogue
from endcap.core.tables import EVENTS, EXAMPLES, ITEMS, LOGINS, SEQUENCES
from endcap.core.version import __version__
from endcap.features.device_owners import write_owners
from endcap.features.online import write_histories
from endcap.flows.fitted import is_of, open_for, save_for
from endcap.flows.flow import Flow, Outcome
from endcap.flows.folder import is_whole, link_or_copy, sync_folder
from endcap.flows.lease import held
from endcap.flows.model_data import catalogue_of, read_histories, read_items
from endcap.flows.people import owner_days, people_needs, read_owners
from endcap.flows.snapshot import snapshot
from endcap.flows.visitor_data import needed_days, read_past

__all__ = ["is_bundle_there", "plan_bundle", "promote", "run_bundle"]

_ITEM_COLUMNS = (
    "item_id", "title", "category", "brand", "price_minor", "currency", "availability", "link", "image_link",
)  # fmt: skip
_SNAPSHOTS = (EVENTS, ITEMS, SEQUENCES, EXAMPLES)


def plan_bundle(flow: Flow) -> dict[str, dict[str, str]]:
    """One partition: it depends on the models, the indexes, the evaluation, the items and the histories."""
    outputs = {
        "train": flow.made_of_models("train"),
        "index": _indexed(flow),
        "evaluate": flow.ledger.outputs("evaluate"),
    }
    versions = {
        f"{step}:{name}": output.get("version", "") for step, named in outputs.items() for name, output in named.items()
    }
    if not outputs["train"]:
        return {}
    tables = {**flow.digests(SEQUENCES, flow.days(SEQUENCES)), **flow.digests(ITEMS, [""])}
    for table, needed in people_needs(flow, lambda _day: (needed_days(flow.through)[0], flow.through)):
        tables |= flow.digests(table, days_between(*needed(flow.through)))
    tables |= flow.digests(LOGINS, owner_days(flow))
    # The manifest names all settings, and a changed default model changes nothing else.
    return {"": {"through": flow.through, "config": flow.shop.config.digest(), **versions, **tables}}


def is_bundle_there(flow: Flow, _partition: str) -> bool:
    """Whether a bundle is in force and has all its files; it may be an older one that somebody went back to.

    In a run that holds its bundle back, whether the one that was made last is there.
    """
    made = flow.ledger.outputs("bundle").get("", {}).get("bundle_id", "")
    folder = flow.shop.bundles / ((made if flow.holds_back else flow.shop.bundle_in_force()) or "none")
    try:
        manifest = read_manifest(folder)
    except BundleError:
        return False
    return all((folder / name).is_file() for name in manifest.files)


def run_bundle(flow: Flow, _pending: list[str]) -> Outcome:
    """Assemble the bundle and put it in force."""
    flow.bundles.look()
    beside = flow.shop.making_bundle / f"bundle-{flow.run_id}"
    shutil.rmtree(beside, ignore_errors=True)
    try:
        _assemble(flow, beside)
        manifest = _manifest(flow, beside)
        place = flow.shop.bundles / manifest.bundle_id
        (beside / "manifest.json").write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")
        if _is_whole(place, manifest):
            os.utime(place)  # used just now: not to be tidied away
        else:
            shutil.rmtree(place, ignore_errors=True)
            sync_folder(beside)
            place.parent.mkdir(parents=True, exist_ok=True)
            beside.rename(place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    flow.bundles.publish(manifest.bundle_id)
    return Outcome(
        output={"": {"bundle_id": manifest.bundle_id, "digest": manifest.content_digest}},
        note=f"{manifest.bundle_id}, {manifest.num_items:,} items, {len(manifest.models)} models",
        put_in_force=lambda: None if flow.holds_back else flow.bundles.put_in_force(manifest.bundle_id),
    )


def promote(flow: Flow, bundle_id: str) -> None:
    """Put a bundle in force that is there: one that a backfill has made, or an older one.

    Raises:
        BundleError: There is none of that name (BUNDLE_MISSING), or it is not whole (BUNDLE_DAMAGED).
        LedgerError: A run is making a bundle just now (STEP_HELD).
    """
    flow.bundles.bring(bundle_id)
    place = flow.shop.bundles / bundle_id
    known = sorted(path.parent.name for path in flow.shop.bundles.glob("*/manifest.json"))
    if bundle_id not in known:
        raise BundleError(
            f"there is no bundle '{bundle_id}'; {near(bundle_id, known)}",
            where=str(flow.shop.bundles),
            fix="name one of the folders that lie there",
            code=Code.BUNDLE_MISSING,
        )
    with held(flow.ledger.catalog, flow.ledger.lease_name("bundle"), wait_s=flow.wait_s):
        if not _is_whole(place, read_manifest(place)):
            raise BundleError(
                "the bundle's files are not those that its manifest names, it was not put in force",
                where=str(place),
                fix="run `endcap refresh SHOP --again bundle`, or put another one in force",
                code=Code.BUNDLE_DAMAGED,
            )
        flow.bundles.look()
        flow.bundles.publish(bundle_id)  # it may have been held back, or tidied away there
        flow.bundles.put_in_force(bundle_id)


def _assemble(flow: Flow, beside: Path) -> None:
    """Put all parts of the bundle but the manifest into a folder."""
    beside.mkdir(parents=True)
    items = _anew(read_items(flow).select(list(_ITEM_COLUMNS)))
    with pa.OSFile(str(beside / "items.arrow"), "wb") as file, pa.ipc.new_file(file, items.schema) as writer:
        writer.write_table(items)
    catalogue = catalogue_of(items)
    for name, output in flow.made_of_models("train").items():
        _put_model(flow.shop.models / name / output["version"], beside / "models" / name, catalogue)
    for name, output in _indexed(flow).items():
        _copy(flow.shop.index / name / output["version"], beside / "index" / name, again="index")
    keys, starts, elements = read_histories(flow, items["item_id"])
    (beside / "histories").mkdir()
    write_histories(beside / "histories", keys, starts, elements)
    (beside / "visitors").mkdir()
    read_past(flow).save(beside / "visitors")
    (beside / "owners").mkdir()
    write_owners(beside / "owners", read_owners(flow))


def _anew(table: pa.Table) -> pa.Table:
    """Build a table's arrays anew: equal rows then have equal bytes, also in the slots of missing values.

    What stands there when an engine made the array is whatever its memory held: once in a few runs a bundle of the same
    items had another digest.
    """
    columns = [pa.array(table[name].to_pylist(), table.schema.field(name).type) for name in table.column_names]
    return pa.Table.from_arrays(columns, names=table.column_names)


def _put_model(place: Path, beside: Path, catalogue: Catalogue) -> None:
    """Put a fitted model into the bundle, for the items of now."""
    if is_of(place, catalogue):
        _copy(place, beside, again="train")
        return
    _check_whole(place, again="train")
    beside.mkdir(parents=True)
    save_for(open_for(place, catalogue), beside, catalogue)


def _copy(place: Path, beside: Path, *, again: str) -> None:
    _check_whole(place, again=again)
    shutil.copytree(place, beside, copy_function=link_or_copy)


def _check_whole(place: Path, *, again: str) -> None:
    if not is_whole(place):
        raise ModelError(
            "what the ledger says was made is no longer there, or no longer what it was",
            where=str(place),
            fix=f"run `endcap refresh SHOP --again {again}`",
            code=Code.MODEL_NOT_FITTED,
        )


def _manifest(flow: Flow, beside: Path) -> BundleManifest:
    config, settings = flow.shop.config, flow.shop.config.shop
    trained, indexed = flow.made_of_models("train"), _indexed(flow)
    unnamed = BundleManifest(
        bundle_id="",
        format=FORMAT,
        organisation=settings.organisation,
        project=settings.project,
        region=settings.region,
        through=flow.through,
        num_items=flow.ledger.outputs("items")[""]["num_items"],
        models=[
            ModelEntry(name, output["kind"], output["version"], name in indexed)
            for name, output in trained.items()
        ],
        default_model=flow.ledger.outputs("evaluate")[""]["serving_model"],
        snapshots=[_snapshot(flow, table) for table in sorted(_SNAPSHOTS, key=lambda each: each.name)],
        config_digest=config.digest(),
        code_version=__version__,
        metrics=flow.ledger.outputs("evaluate").get("", {}).get("metrics", {}),
        seed=flow.seed,
        files={
            path.relative_to(beside).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(beside.rglob("*")) if path.is_file()
        },
    )  # fmt: skip
    digest = unnamed.digest()
    return msgspec.structs.replace(
        unnamed,
        bundle_id=f"{flow.through}-{digest[:12]}",
        content_digest=digest,
        run_id=flow.run_id,
        created_at_us=flow.now_us,
    )


def _snapshot(flow: Flow, table: Table) -> SnapshotRef:
    """Name the version of a table as it is now, with its partitions up to the flow's last day."""
    parts = {name: part for name, part in flow.ledger.parts(table.name).items() if name <= flow.through}
    return snapshot(table.name, parts, schema=flow.tables.schema_version(table))


def _indexed(flow: Flow) -> dict[str, Any]:
    """Return the indexes by model; one of a model whose scores are inner products no longer is left over."""
    trained = flow.made_of_models("train")
    return {name: output for name, output in flow.made_of_models("index").items() if trained[name]["vectors"]}


def _is_whole(place: Path, manifest: BundleManifest) -> bool:
    """Whether a bundle stands in its place with every file as the manifest says."""
    return (place / "manifest.json").exists() and all(
        (place / name).exists() and hashlib.sha256((place / name).read_bytes()).hexdigest() == digest
        for name, digest in manifest.files.items()
    )
