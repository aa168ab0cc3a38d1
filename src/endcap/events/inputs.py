"""What each day is made from, and what becomes of a day whose files are gone: what was taken in stays.

A day that is done remembers the files that fed it (`made_of`). Of those that are no longer in the source, the digests
stay among the inputs of the day after, so that nothing is done again because a file was archived. A day is never made
again without a file that it was made from: while the files that are left are unchanged it is left alone, whatever the
settings and the code are by now, and if one of them changed or another came it is refused. A file that is replaced by
one of another name is one that is gone and one that came.

A day depends on its own files and on the last hour of the day before (`events.midnight`), so on that day's files too;
never on those of a later day.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from endcap.core.clock import next_day
from endcap.core.errors import Code, SourceError
from endcap.core.ids import digest_of
from endcap.events.config import EventsConfig
from endcap.events.files import SourceFile, days_fed, last_day
from endcap.events.readers import LANDING
from endcap.events.refused import stopped_days

__all__ = ["MadeOf", "files_of", "is_left_alone", "plan_days"]

MadeOf = Mapping[str, Mapping[str, str]]
"""Day -> key of each file that feeds it -> digest of the file."""

_SHOWN = 3


def files_of(files: Iterable[SourceFile]) -> dict[str, str]:
    """Return the key and the digest of each file."""
    return {file.key: file.sha256 for file in files}


def plan_days(
    files: Sequence[SourceFile], made_of: MadeOf, config: EventsConfig, *, now_us: int, through: str, again: bool
) -> dict[str, dict[str, str]]:
    """Return the days to be made, each with the digests of the files that it and the day before are made from.

    Args:
        files: The files that are there; the days of broken ones are left as they are.
        made_of: What the days that are done were made from.
        config: `[events]`.
        now_us: The present instant.
        through: Last day wanted; "" for all.
        again: Whether days are made from the files that are there, whatever they were made from before; a day without
            any stays.

    Raises:
        SourceError: SOURCE_MISSING: a day's files changed, and others that it was made from are gone.
    """
    stopped = stopped_days(files, made_of)
    files = [file for file in files if not file.broken]
    fed = days_fed(files, config, now_us=now_us)
    own = {day: files_of(feeding) for day, feeding in fed.items()}
    made_of = {day: made for day, made in made_of.items() if not (again and day in own)}
    gone = _gone(files, made_of)
    plan = {}
    held = {day for file in files for day in file.days if day >= file.first_day(config)}
    for day in sorted({*own, *_left_empty(made_of, gone, {*own, *held})}):
        if day > (through or day) or day in stopped:
            continue
        if is_left_alone(day, own.get(day, {}), gone.get(day, {}), made_of.get(day, {}), step="ingest"):
            continue
        near = [next_day(day, -1), day]
        plan[day] = {key: sha256 for each in near for part in (gone, own) for key, sha256 in part.get(each, {}).items()}
        plan[day] |= _ahead(day, fed.get(day, ()), last_day(config, now_us))
    return plan


def is_left_alone(
    day: str, own: Mapping[str, str], gone: Mapping[str, str], made: Mapping[str, str], *, step: str
) -> bool:
    """Say whether a day stays as it is because files that it was made from are gone.

    Args:
        day: The day.
        own: The files that are there and feed it.
        gone: The files that fed it and are gone.
        made: All files that it was made from.
        step: The step that makes it.

    Raises:
        SourceError: SOURCE_MISSING: a file of `own` came or changed, and it is no segment that the server landed.
    """
    changed = {key for key in {*own, *made} - {*gone} if own.get(key) != made.get(key)}
    if not gone or not changed:
        return bool(gone)
    if all(key.startswith(f"{LANDING}:") and key not in made for key in changed):
        return True  # anybody may send an event of long ago: a day that is closed does not stop the others for it
    raise SourceError(
        f"{_names(gone)} of {day} {'is' if len(gone) == 1 else 'are'} gone from the source, and {_names(changed)} of "
        "that day came or changed: made again, the day would lose rows",
        where=f"step {step}, day {day}",
        fix=f"put back what is gone, or run `endcap refresh --again {step}`: it makes each day from the files that are "
        "there",
        code=Code.SOURCE_MISSING,
    )


def _gone(files: Iterable[SourceFile], made_of: MadeOf) -> MadeOf:
    """Return for each day the files that it was made from and that are gone. A file read by another reader is there."""
    here = {file.name for file in files}
    return {
        day: {key: sha256 for key, sha256 in made.items() if _name(key) not in here} for day, made in made_of.items()
    }


def _left_empty(made_of: MadeOf, gone: MadeOf, held: Collection[str]) -> set[str]:
    """Return the days of which no file holds anything any more, though all that they were made from are there.

    A file was exported again, or is read in another time zone now: its events are on other days.
    """
    return {day for day, made in made_of.items() if made and not gone[day] and day not in held}


def _ahead(day: str, feeding: Iterable[SourceFile], last: str) -> dict[str, str]:
    """Return an input for each file with rows that may not be believed yet, for the days on which these rows count.

    When they are believed the input goes, and both are made again: the day on which they were booked and their own.
    """
    found = {}
    for file in feeding:
        days = [each for each in file.days if each >= last]
        if days and day in (last, file.file_day(last)):
            found[f"{file.key} ahead"] = digest_of(days)
    return found


def _names(keys: Iterable[str]) -> str:
    names = sorted(_name(key) for key in keys)
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")


def _name(key: str) -> str:
    return key.split(":", 1)[1]
