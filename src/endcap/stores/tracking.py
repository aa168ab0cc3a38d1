"""What the house asks of a tracking server: that it shows the runs it is told of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from endcap.core.ids import digest_of

__all__ = ["Measured", "TrackedRun", "Tracking"]


@dataclass(frozen=True)
class Measured:
    """One number of a run.

    Args:
        name: What was measured, such as `test/ndcg@10`.
        step: How many examples were learned from by then; 0 for what is measured once.
        value: The number, finite.
    """

    name: str
    step: int
    value: float


@dataclass(frozen=True)
class TrackedRun:
    """A run as it is told to a tracking server: one model, fitted once.

    Args:
        key: By which it is found again: 32 hex digits, the same whenever the same fit is told.
        name: For eyes.
        started_at_us: When the attempt began that fitted it, by the ledger.
        ended_at_us: When that attempt was done.
        params: Setting -> its value as text.
        tags: What it was made from and came to; no id of a person.
        measured: The numbers.
    """

    key: str
    name: str
    started_at_us: int
    ended_at_us: int
    params: Mapping[str, str]
    tags: Mapping[str, str]
    measured: tuple[Measured, ...]

    def content(self) -> str:
        """Return the digest of all of it: another one once there is more to tell of the same run."""
        return digest_of(self)[:32]


class Tracking(Protocol):
    """A tracking server, or a file in its place."""

    @property
    def where(self) -> str:
        """Where it lies, for the user."""
        ...

    def put(self, run: TrackedRun) -> None:
        """Have a run shown as it is told here, all of it.

        One that is shown already is not shown twice, however far an earlier call came; one that a user has deleted
        there stays deleted.

        Raises:
            StoreError: Nobody answers there (TRACKING_UNREACHABLE), or this run is refused (TRACKING_REFUSED).
        """
        ...
