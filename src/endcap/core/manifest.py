"""Manifests: what exactly a bundle or a run is made of, so that it can be traced and made again."""

from pathlib import Path
from typing import Any

import msgspec

from endcap.core.errors import BundleError, Code, LedgerError
from endcap.core.ids import digest_of

__all__ = [
    "FORMAT",
    "BundleManifest",
    "ModelEntry",
    "RunManifest",
    "SnapshotRef",
    "parse_manifest",
    "parse_run_manifest",
    "read_manifest",
]

FORMAT = 1
"""Version of the bundle's layout. A server refuses a bundle of another one."""


class SnapshotRef(msgspec.Struct, frozen=True):
    """One exact version of a table.

    Args:
        table: Name of the table.
        version: Version in the table format's own log.
        digest: Digest of the content, whatever the version number.
        rows: Number of rows.
        schema: Version of the contract under which it was last written; 0 where the table does not tell.
    """

    table: str
    version: int
    digest: str
    rows: int
    schema: int = 0


class ModelEntry(msgspec.Struct, frozen=True):
    """One model of a bundle.

    Args:
        name: Its folder under `models/`.
        kind: The algorithm's tag.
        version: Digest of its files as it was fitted, 16 hex digits; in the bundle it may know items that came later.
        vectors: Whether an index stands under `index/` of the same name.
    """

    name: str
    kind: str
    version: str
    vectors: bool


class BundleManifest(msgspec.Struct, frozen=True):
    """All that a server must know about a bundle, and all that is needed to make it again.

    Args:
        bundle_id: `<through day>-<first 12 digits of the content digest>`.
        format: Version of the layout.
        organisation: Who owns the shop.
        project: The shop.
        region: Where its data may lie.
        through: Last day of events in it.
        num_items: Items in `items.arrow`.
        models: The models in it.
        default_model: The model that orders slates.
        snapshots: The exact table versions it was made from.
        config_digest: Digest of endcap.toml as understood.
        code_version: Version of Endcap that made it.
        metrics: Model -> measure -> value, from the evaluation before deployment.
        seed: Of the run.
        files: Path within the bundle -> SHA-256.
        erasure: "complete", or "erased(n)" after n rows were forgotten.
        content_digest: Digest of everything above but the version numbers of snapshots.
        run_id: The run that made it (not in the digest).
        created_at_us: When it was made (not in the digest).
    """

    bundle_id: str
    format: int
    organisation: str
    project: str
    region: str
    through: str
    num_items: int
    models: list[ModelEntry]
    default_model: str
    snapshots: list[SnapshotRef]
    config_digest: str
    code_version: str
    metrics: dict[str, dict[str, float | None]]
    seed: int
    files: dict[str, str]
    erasure: str = "complete"
    content_digest: str = ""
    run_id: str = ""
    created_at_us: int = 0

    def digest(self) -> str:
        """Return the digest of what the bundle is made of, 64 hex digits; the run, its time and numbering are out."""
        content = msgspec.to_builtins(self)
        for accidental in ("bundle_id", "content_digest", "run_id", "created_at_us"):
            del content[accidental]
        content["snapshots"] = [{**each, "version": 0} for each in content["snapshots"]]
        return digest_of(content)


class RunManifest(msgspec.Struct, frozen=True, kw_only=True):
    """All that is needed to trace a run, and to make its outputs again from the same inputs.

    Args:
        run_id: The run.
        organisation: Who owns the shop.
        project: The shop.
        region: Where its data may lie.
        actor: Who asked for the run.
        started_at_us: When it began, microseconds UTC.
        outcome: "done", or "failed" where a step ended with an error.
        through: Last day of events in it; "" where it failed before that was known.
        bundle_id: The bundle in force afterwards, "" if there is none.
        seed: Of every draw.
        code_version: Version of Endcap.
        versions: Python and the packages that compute -> version.
        config_digest: Digest of the settings.
        settings: endcap.toml as understood, with every default.
        attempts: The ledger's rows of the run in order: fingerprints, digests of inputs, versions of outputs, cost.
        erasure: "complete", or "erased(n)" after n rows were forgotten; versions of tables that a complete manifest
            names stay readable.
        tables: The version and the content of every table as the run left it, all partitions; none where an earlier
            version of Endcap made the manifest.
        outputs: Step -> partition -> what it had left behind besides tables by then, as far as a replay needs it.
    """

    run_id: str
    organisation: str
    project: str
    region: str
    actor: str
    started_at_us: int
    outcome: str
    through: str
    bundle_id: str
    seed: int
    code_version: str
    versions: dict[str, str]
    config_digest: str
    settings: dict[str, Any]
    attempts: list[dict[str, Any]]
    erasure: str = "complete"
    tables: list[SnapshotRef] = []
    outputs: dict[str, dict[str, Any]] = {}


class _Layout(msgspec.Struct):
    """The one field that is read before all others: those of another layout may be named otherwise."""

    format: int


def read_manifest(bundle: Path) -> BundleManifest:
    """Read a bundle's manifest.

    Args:
        bundle: The bundle's folder.

    Raises:
        BundleError: There is none, it is damaged, or its layout is of another version.
    """
    path = bundle / "manifest.json"
    try:
        return parse_manifest(path.read_bytes(), where=str(path))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise BundleError(
            "there is no bundle", where=str(path), fix="run `endcap refresh SHOP`", code=Code.BUNDLE_MISSING
        ) from error


def parse_manifest(told: bytes, *, where: str) -> BundleManifest:
    """Read the text of a bundle's manifest.

    Args:
        told: The JSON.
        where: Where it lies, for the error.

    Raises:
        BundleError: It is damaged, or its layout is of another version.
    """
    try:
        layout = msgspec.json.decode(told, type=_Layout).format
        if layout != FORMAT:
            raise BundleError(
                f"the bundle has layout {layout}, this version reads layout {FORMAT}",
                where=where,
                fix="run `endcap refresh` with this version",
                code=Code.BUNDLE_DAMAGED,
            )
        return msgspec.json.decode(told, type=BundleManifest)
    except msgspec.MsgspecError as error:
        raise BundleError(
            f"the bundle's manifest is damaged: {error}",
            where=where,
            fix="run `endcap refresh --again bundle`",
            code=Code.BUNDLE_DAMAGED,
        ) from error


def parse_run_manifest(text: bytes, *, where: str) -> RunManifest:
    """Read the manifest of a run.

    Args:
        text: The JSON.
        where: Where it lies, for the error.

    Raises:
        LedgerError: It is damaged (RUN_DAMAGED).
    """
    try:
        return msgspec.json.decode(text, type=RunManifest)
    except msgspec.MsgspecError as error:
        raise LedgerError(
            f"the run's manifest is damaged: {error}",
            where=where,
            fix="put it back from a copy; without it that run cannot be replayed, and no old version of a table goes "
            "until it is put back or removed",
            code=Code.RUN_DAMAGED,
        ) from error
