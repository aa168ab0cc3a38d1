"""The errors of Endcap: what happened with the numbers, where, and what to do about it.

The whole tree::

    EndcapError
    ├── ConfigError     a setting is missing, unknown or out of its range
    ├── SourceError     a source file or folder cannot be read as what it is said to be
    ├── DataError       data that was read breaks the contract of its table
    ├── ModelError      a model cannot be fitted, saved or loaded
    ├── BundleError     a bundle is missing, damaged or of another code version
    ├── LedgerError     another runner holds the step, or the ledger cannot be used
    ├── EngineError     the engine does not start, or gave its work up
    ├── StoreError      a table, a store or a log of the server cannot be written or read
    ├── AccessError     the actor may not do this
    ├── RequestError    a request to the server cannot be understood
    └── UsageError      a command was called with arguments that do not fit

Each error carries a stable `code`; docs/playbook.md has a section for each one, and a test compares both lists.
"""

import difflib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import partial
from typing import Any

__all__ = [
    "AccessError",
    "BundleError",
    "Code",
    "ConfigError",
    "DataError",
    "EndcapError",
    "EngineError",
    "LedgerError",
    "ModelError",
    "RequestError",
    "SourceError",
    "StoreError",
    "UsageError",
    "near",
    "told_error",
    "untold_error",
]


class Code(StrEnum):
    """Every stable error code. A code is never reused for another meaning."""

    CONFIG_MISSING = "config-missing"
    CONFIG_INVALID = "config-invalid"
    CONFIG_KEY = "config-key"
    SHOP_EXISTS = "shop-exists"
    SOURCE_MISSING = "source-missing"
    SOURCE_UNKNOWN = "source-unknown"
    SOURCE_UNREADABLE = "source-unreadable"
    SOURCE_COLUMN = "source-column"
    SOURCE_EMPTY_DAY = "source-empty-day"
    SOURCE_UNREACHABLE = "source-unreachable"
    SOURCE_QUERY = "source-query"
    SOURCE_WATERMARK = "source-watermark"
    CONTRACT_BROKEN = "contract-broken"
    TABLE_DAMAGED = "table-damaged"
    RAW_IDS = "raw-ids"
    TABLE_SCHEMA = "table-schema"
    VERSION_GONE = "version-gone"
    DAY_NOT_READY = "day-not-ready"
    TOO_MANY_BAD_ROWS = "too-many-bad-rows"
    INTERACTIONS_COLUMN = "interactions-column"
    SPLIT_EMPTY = "split-empty"
    MODEL_UNKNOWN = "model-unknown"
    MODEL_NOT_FITTED = "model-not-fitted"
    INDEX_REFUSED = "index-refused"
    BUNDLE_MISSING = "bundle-missing"
    BUNDLE_DAMAGED = "bundle-damaged"
    STEP_HELD = "step-held"
    WORKER_LOST = "worker-lost"
    RANK_LOST = "rank-lost"
    RUN_UNKNOWN = "run-unknown"
    RUN_DAMAGED = "run-damaged"
    RUN_NOT_REPLAYABLE = "run-not-replayable"
    LEDGER_UNUSABLE = "ledger-unusable"
    LEDGER_GONE = "ledger-gone"
    FENCED = "fenced"
    TABLE_CHANGED = "table-changed"
    COMMIT_CONFLICT = "commit-conflict"
    ACCESS_DENIED = "access-denied"
    REQUEST_INVALID = "request-invalid"
    BODY_MALFORMED = "body-malformed"
    BODY_TOO_LARGE = "body-too-large"
    FIELD_UNKNOWN = "field-unknown"
    FIELD_MISSING = "field-missing"
    FIELD_TYPE = "field-type"
    PLACEMENT_UNKNOWN = "placement-unknown"
    SLATE_SIZE = "slate-size"
    ITEMS_MISSING = "items-missing"
    EVENTS_REJECTED = "events-rejected"
    TOO_MANY_EVENTS = "too-many-events"
    ROUTE_UNKNOWN = "route-unknown"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    LOG_UNUSABLE = "log-unusable"
    STORE_UNUSABLE = "store-unusable"
    STORAGE_DENIED = "storage-denied"
    STORAGE_MISSING = "storage-missing"
    STORAGE_CREDENTIALS = "storage-credentials"
    STORAGE_UNREACHABLE = "storage-unreachable"
    STORAGE_CLOCK = "storage-clock"
    STORAGE_UNSUITABLE = "storage-unsuitable"
    BUNDLE_RACE = "bundle-race"
    DISK_FULL = "disk-full"
    INTERNAL = "internal"
    OUT_OF_MEMORY = "out-of-memory"
    ENGINE_MISSING = "engine-missing"
    ENGINE_UNREACHABLE = "engine-unreachable"
    ENGINE_FAILED = "engine-failed"
    TRACKING_MISSING = "tracking-missing"
    TRACKING_UNREACHABLE = "tracking-unreachable"
    TRACKING_REFUSED = "tracking-refused"
    PORT_UNUSABLE = "port-unusable"
    USAGE = "usage"


class EndcapError(Exception):
    """An error that a user can act on. Its text has up to three lines: what, where, `fix:`.

    Args:
        what: One sentence: what happened, with the numbers.
        where: A file, a table with its day, or a path into endcap.toml. Empty when `what` already says it.
        fix: What to do, as something to type or to change.
        code: The stable code.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", fix: str, code: Code) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix
        self.code = code

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process whole: what worker processes raise is told by the one that asked them."""
        return partial(type(self), where=self.where, fix=self.fix, code=self.code), (self.what,)

    def __str__(self) -> str:
        """The text as a user sees it.

        >>> print(DataError("3 rows of 5 have no price", where="items", fix="add prices", code=Code.CONTRACT_BROKEN))
        3 rows of 5 have no price [contract-broken]
          where: items
          fix: add prices
        """
        lines = [f"{self.what} [{self.code}]"]
        if self.where:
            lines.append(f"  where: {self.where}")
        lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


class ConfigError(EndcapError):
    """A setting is missing, unknown or out of its range."""


class SourceError(EndcapError):
    """A source file or folder cannot be read as what it is said to be."""


class DataError(EndcapError):
    """Data that was read breaks the contract of its table."""


class ModelError(EndcapError):
    """A model cannot be fitted, saved or loaded."""


class BundleError(EndcapError):
    """A bundle is missing, damaged or of another code version."""


class LedgerError(EndcapError):
    """Another runner holds the step, or the ledger cannot be used."""


class EngineError(EndcapError):
    """The engine does not start, or gave its work up."""


class StoreError(EndcapError):
    """A table, a store or a log of the server cannot be written or read."""


class AccessError(EndcapError):
    """The actor may not do this."""


class RequestError(EndcapError):
    """A request to the server cannot be understood."""


class UsageError(EndcapError):
    """A command was called with arguments that do not fit."""


def near(word: str, known: Iterable[str]) -> str:
    """Name the known words closest to an unknown one, as the end of a sentence.

    Args:
        word: What the user wrote.
        known: What would have been understood.

    Returns:
        `did you mean 'a'?` for near words, else the whole list (at most 12 words).

    >>> near("popuar", ["popular", "two_tower"])
    "did you mean 'popular'?"
    >>> near("xyz", ["popular", "two_tower"])
    'known: popular, two_tower'
    """
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=2)
    if close:
        return "did you mean " + " or ".join(f"'{each}'" for each in close) + "?"
    return "known: " + ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")


def told_error(error: EndcapError) -> dict[str, str]:
    """Return an error as plain values, to be told by another process; one of another package by the class it is of."""
    kind = next(kind for kind in type(error).__mro__ if EndcapError in kind.__bases__)
    return {"kind": kind.__name__, "what": error.what, "where": error.where, "fix": error.fix,
            "code": error.code.value}  # fmt: skip


def untold_error(told: Mapping[str, str]) -> EndcapError:
    """Return the error that plain values tell.

    >>> untold_error(told_error(DataError("no price", fix="add prices", code=Code.CONTRACT_BROKEN)))
    DataError('no price')
    """
    kinds = {kind.__name__: kind for kind in EndcapError.__subclasses__()}
    return kinds[told["kind"]](told["what"], where=told["where"], fix=told["fix"], code=Code(told["code"]))
