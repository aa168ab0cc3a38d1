"""The content of a table as the ledger knows it, under one digest: what manifests name."""

import hashlib
from collections.abc import Mapping

from endcap.core.manifest import SnapshotRef
from endcap.flows.ledger import Part

__all__ = ["snapshot"]


def snapshot(table: str, parts: Mapping[str, Part], *, schema: int = 0) -> SnapshotRef:
    """Name the version that wrote the last of some partitions, and the digest of them all; empty ones do not count.

    Args:
        table: Name of the table.
        parts: Partition -> what it holds.
        schema: Version of the contract under which the table was last written; 0 where that is not told.

    Example:
        >>> ref = snapshot("days", {"b": Part("d2", 3, 7), "a": Part("d1", 2, 5), "c": Part("empty", 0, 9)})
        >>> ref.version, ref.rows, ref.digest == snapshot("days", {"a": Part("d1", 2, 1), "b": Part("d2", 3, 1)}).digest
        (9, 5, True)
    """
    full = {name: parts[name] for name in sorted(parts) if parts[name].rows}
    total = hashlib.sha256("".join(f"{name}={part.digest};" for name, part in full.items()).encode())
    version = max((part.version for part in parts.values()), default=-1)  # also where a partition was emptied
    return SnapshotRef(table, version, total.hexdigest()[:32], sum(part.rows for part in full.values()), schema)
