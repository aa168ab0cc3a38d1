"""What `endcap init` has recognised in a folder."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Detected"]


@dataclass(frozen=True)
class Detected:
    """What was recognised.

    Args:
        kind: Of the reader.
        folder: The source's folder.
        settings: `[events]` as far as it is known, under the names of EventsConfig.
        unsure: Column -> type, for the columns of a flat file that nothing was guessed for.
        found: What was recognised, sentences.
        ignored: What will be left out or quarantined, and why, sentences.
    """

    kind: str
    folder: str
    settings: dict[str, Any]
    unsure: dict[str, str] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)

    @property
    def default_currency(self) -> str | None:
        """The currency read off the feed's prices, if there is a feed with prices."""
        currency: str | None = self.settings.get("default_currency")
        return currency
