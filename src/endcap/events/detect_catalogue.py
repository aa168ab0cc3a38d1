"""The catalogue of a folder, as `endcap init` finds it: a feed, feeds by day, updates of prices and stock by day."""

import re
from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from pydantic import TypeAdapter

from endcap.events.catalogue import KIND_NAMES, catalogue_kind, is_update, read_catalogue
from endcap.events.catalogue_config import Catalogue
from endcap.events.detected import Detected
from endcap.events.files import named_day
from endcap.events.recognise import nested_kind

__all__ = ["add_catalogue", "is_catalogue"]


def is_catalogue(path: Path) -> bool:
    """Say whether a file seems to describe items, or to tell their prices and stock, and is no log of events."""
    return (bool(catalogue_kind(path)) or _is_dated_update(path)) and not nested_kind(path)


def add_catalogue(detected: Detected, files: Sequence[Path], folder: Path, currency: str) -> list[Path]:
    """Say how a folder's catalogue is read; return its files.

    Feeds by day are taken where there are some, else the first feed by name.

    Args:
        detected: What was recognised of the folder; the catalogue is added.
        files: Those that hold no events.
        folder: The source's folder.
        currency: ISO 4217 code of prices that name none; "" for the one of the feed.
    """
    feeds = [path for path in files if catalogue_kind(path) and not nested_kind(path)]
    feeds_glob, dated = _alike([path for path in feeds if named_day(path.name)], feeds, folder)
    updates_glob, updates = _alike([path for path in files if _is_dated_update(path)], files, folder)
    described = [max(dated, key=lambda path: named_day(path.name))] if dated else feeds[:1]
    if not described and not updates:
        return []
    detected.settings["catalogue"] = {
        "kind": catalogue_kind(described[0]) if described else "merchant",
        "file": "" if dated or not described else described[0].relative_to(folder).as_posix(),
        **{name: glob for name, glob in (("feeds", feeds_glob), ("updates", updates_glob)) if glob},
    }
    if dated:
        detected.found.append(f"feeds by day: {len(dated)} files up to {described[0].name}")
        left = [path.name for path in feeds if path not in dated]
        if left:
            detected.ignored.append(f"{len(left)} feeds such as {left[0]}: those by day are read")
    for feed in described:
        _add_feed(detected, feed, feed.relative_to(folder).as_posix(), currency)
    if updates:
        detected.found.append(f"prices and stock by day: {len(updates)} files up to {updates[-1].name}")
    return [*(feeds if dated else described), *updates]


def _is_dated_update(path: Path) -> bool:
    return bool(named_day(path.name)) and is_update(path)


def _alike(dated: Sequence[Path], files: Sequence[Path], folder: Path) -> tuple[str, list[Path]]:
    """Return a glob of those files by day that are named like the last of them, and the files; "" if there is none.

    It takes in no other file of the folder: else it is the name of the last one.
    """
    if not dated:
        return "", []
    last = dated[-1]
    start = re.split(r"20\d{2}-?\d{2}-?\d{2}", last.name)[0]
    ending = "".join(last.suffixes[-2:] if last.suffix in (".gz", ".zst") else last.suffix)
    beside = last.parent.relative_to(folder).as_posix()
    name = f"{start}*{ending}"
    taken = [path for path in files if path.parent == last.parent and fnmatch(path.name, name)]
    if not all(path in dated for path in taken):
        name, taken = last.name, [last]
    return name if beside == "." else f"{beside}/{name}", taken


def _add_feed(detected: Detected, feed: Path, name: str, currency: str) -> None:
    settings: Catalogue = TypeAdapter(Catalogue).validate_python(detected.settings["catalogue"])
    read = read_catalogue(feed, settings, default_currency=currency or None, day="feed")
    bad = Counter(read.quarantine.column("reason").to_pylist())
    unsaid = bad.pop("currency_missing", 0)
    told = Counter(code for code in read.items.column("currency").to_pylist() if code)
    no_price = read.items.column("price_minor").null_count
    num_items = read.items.num_rows + unsaid
    detected.found.append(f"{KIND_NAMES[settings.kind]}: {name}, {num_items:,} items, {no_price:,} without a price")
    if told and not currency:
        code = min(told, key=lambda each: (-told[each], each))
        detected.settings["default_currency"] = code
        detected.found.append(f"prices in {code}, read off the feed")
    if unsaid and not told:
        detected.ignored.append(
            f"{unsaid:,} items of {name} whose prices name no currency: run init with --currency, or set "
            "events.default_currency"
        )
    if bad.total():
        detected.ignored.append(f"{bad.total():,} lines of {name} that cannot be read: they go to quarantine")
