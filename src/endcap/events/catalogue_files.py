"""Files of the catalogue: which there are, which day each one speaks of, and which partition it is taken into."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from endcap.core.errors import Code, SourceError
from endcap.events.catalogue_config import Catalogue
from endcap.events.files import named_day
from endcap.events.inputs import is_left_alone

__all__ = ["FIRST_SEEN", "CatalogueFile", "catalogue_files", "day_said", "in_order", "is_seen", "plan_days_said"]

_SEEN = "seen-"
FIRST_SEEN = "seen-1970-01-01"
"""The partition of the first content of a feed without a day: it holds from instant 0."""


@dataclass(frozen=True)
class CatalogueFile:
    """A file of the catalogue.

    Args:
        path: Where it lies.
        key: Its kind (feed, update) and its name within the source: its name among the inputs of a partition.
        day: UTC day of which it speaks, as its name says; "" for the feed without a day.
    """

    path: Path
    key: str
    day: str

    @property
    def is_update(self) -> bool:
        """Whether it speaks of some items only."""
        return self.key.startswith("update:")


def is_seen(partition: str) -> bool:
    """Say whether a partition holds what a feed without a day said when it was found."""
    return partition.startswith(_SEEN)


def day_said(partition: str) -> str:
    """Return the day from which the rows of a partition hold.

    >>> day_said("2026-03-05"), day_said("seen-2026-03-05")
    ('2026-03-05', '2026-03-05')
    """
    return partition.removeprefix(_SEEN)


def in_order(partitions: Iterable[str]) -> list[str]:
    """Order partitions by their days; what was found on a day comes after what was told of it."""
    return sorted(partitions, key=lambda each: (day_said(each), is_seen(each)))


def catalogue_files(settings: Catalogue, folder: Path) -> list[CatalogueFile]:
    """List the feeds and updates by day, and the feed without one, ascending by kind and name.

    Args:
        settings: `[events.catalogue]`.
        folder: The source's folder.

    Raises:
        SourceError: SOURCE_UNREADABLE: the name of a feed by day, or of an update, tells no day.
    """
    found = [CatalogueFile(folder / settings.file, f"feed:{settings.file}", "")] if settings.file else []
    for kind, glob in (("feed", settings.feeds), ("update", settings.updates)):
        paths = [path for path in folder.glob(glob) if path.is_file()] if glob else []
        for path in paths:
            name = path.relative_to(folder).as_posix()
            if name != settings.file:
                found.append(CatalogueFile(path, f"{kind}:{name}", _day(path, name)))
    return sorted(found, key=lambda file: file.key)


def plan_days_said(
    files: Iterable[CatalogueFile],
    made: Mapping[str, Mapping[str, str]],
    digest: Callable[[CatalogueFile], str],
    *,
    through: str,
    again: bool,
) -> dict[str, dict[str, str]]:
    """Return partition -> key of each file that it is to be made from -> the file's digest.

    A day whose files are gone stays as it is, as in `events/inputs.py`. The feed without a day is taken in under the
    last day where it says something else than when it was last looked at; under FIRST_SEEN where nothing was said
    before. It says nothing of days before the one it was last found on.

    Args:
        files: What `catalogue_files` found.
        made: What the partitions that are done were made from.
        digest: Digests a file; "" if it is not there.
        through: Last day.
        again: Whether days are made from the files that are there, whatever they were made from before.

    Raises:
        SourceError: SOURCE_MISSING: a day's files changed, and others that it was made from are gone.
    """
    days: dict[str, dict[str, str]] = {}
    undated: dict[str, str] = {}
    for file in files:
        if not file.day:
            undated = {file.key: digest(file)}
        elif file.day <= through:
            days.setdefault(file.day, {})[file.key] = digest(file)
    plan = {}
    for day, own in days.items():
        made_of = {} if again else made.get(day, {})
        gone = {key: each for key, each in made_of.items() if key not in own}
        if not is_left_alone(day, own, gone, made_of, step="catalogue"):
            plan[day] = own
    seen = in_order(filter(is_seen, made))
    if undated and (not seen or day_said(seen[-1]) <= through):
        named = any(key.startswith("feed:") for own in (*days.values(), *made.values()) for key in own)
        is_same = bool(seen) and made[seen[-1]] == undated
        plan[seen[-1] if is_same else _SEEN + through if named else FIRST_SEEN] = undated
    return plan


def _day(path: Path, name: str) -> str:
    day = named_day(path.name)
    if not day:
        raise SourceError(
            f"the name of {name} tells no day from which it holds",
            where="events.catalogue",
            fix="put the day into its name as YYYYMMDD, or make the glob of events.catalogue narrower",
            code=Code.SOURCE_UNREADABLE,
        )
    return day
