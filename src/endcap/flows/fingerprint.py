"""Fingerprints: the digest of all that a step's output depends on.

A git hash would recompute everything at every commit and a hand-kept number goes stale, so the code's part is the
digest of the sources of the rooms that a step uses, and of the floors below them.
"""

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from endcap.core.ids import digest_of

__all__ = ["code_digest", "fingerprint", "made_from"]

_SOURCES = Path(__file__).parent.parent
_FLOORS_BELOW = ("core", "metrics", "engines")


@cache
def code_digest(parts: tuple[str, ...]) -> str:
    """Return the digest of the sources of some rooms, and of the floors that all rooms stand on.

    Args:
        parts: Folders or files below `src/endcap`, such as "events" or "flows/deploy.py".
    """
    total = hashlib.sha256()
    for part in sorted({*parts, *_FLOORS_BELOW}):
        place = _SOURCES / part
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            total.update(path.relative_to(_SOURCES).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()


def fingerprint(step: str, partition: str, *, inputs: Mapping[str, str], settings: Any, code: str, seed: int) -> str:
    """Return the fingerprint of one partition of a step, 32 hex digits.

    Args:
        step: Name of the step.
        partition: The partition.
        inputs: Name of each input -> digest of its content.
        settings: The settings that the step reads, as plain values.
        code: Digest of the code.
        seed: Of the run.
    """
    return digest_of([step, partition, dict(inputs), settings, code, seed])[:32]


def made_from(settings: Any, inputs: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return the parts of the fingerprints of an attempt that it does not tell by itself: what is compared to say why.

    Args:
        settings: The settings that the step reads.
        inputs: Partition -> its inputs.

    Returns:
        `settings`, a digest, and `inputs`, partition -> digest.
    """
    return {"settings": digest_of(settings)[:16],
            "inputs": {partition: digest_of(dict(named))[:16] for partition, named in inputs.items()}}  # fmt: skip
