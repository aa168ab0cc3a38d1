"""A shop on disk: where its parts lie, its configuration, its key, and how it is made."""

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from endcap.core.errors import Code, ConfigError
from endcap.flows.config import ShopConfig, load_config
from endcap.governance.access import Resource
from endcap.stores.config import is_object_store
from endcap.stores.local_files import write_atomically

__all__ = ["RAW_IDS_KEY_VARIABLE", "USER_KEY_VARIABLE", "Shop", "find_shop", "make_key", "write_atomically"]

USER_KEY_VARIABLE = "ENDCAP_USER_KEY"
"""Environment variable that holds the shop's key as 64 hex digits, in the place of keys/user.key."""

RAW_IDS_KEY_VARIABLE = "ENDCAP_RAW_IDS_KEY"
"""Likewise, in the place of keys/raw_ids.key."""


@dataclass(frozen=True)
class Shop:
    """The folder of one shop.

    Args:
        root: The folder.
        config: Its configuration, checked.
    """

    root: Path
    config: ShopConfig

    @property
    def lake(self) -> str:
        """Folder of the tables, or their URL."""
        place = self.config.stores.lake
        return place if is_object_store(place) else str(self.root / (place or "lake"))

    @property
    def bundles(self) -> Path:
        """Folder of the bundles, or of copies of those in a bucket; `current` in it names the one in force."""
        place = self.config.stores.bundles
        return self.cache / "bundles" if is_object_store(place) else self.root / (place or "bundles")

    @property
    def making_bundle(self) -> Path:
        """Folder on the disk of the bundles in which one is assembled."""
        return self.scratch if self.bundles.is_relative_to(self.root) else self.bundles / ".making"

    @property
    def cache(self) -> Path:
        """Folder of copies of what lies in a bucket; it may be deleted when nothing runs."""
        return self.root / "cache"

    @property
    def models(self) -> Path:
        """Folder of the fitted models, <name>/<version>/."""
        return self.root / "models"

    @property
    def index(self) -> Path:
        """Folder of the indexes, <name>/<version>/."""
        return self.root / "index"

    @property
    def reports(self) -> Path:
        """Folder of the reports of evaluation and health."""
        return self.root / "reports"

    @property
    def runs(self) -> Path:
        """Folder of the run manifests, <run id>.json."""
        return self.root / "runs"

    @property
    def landing(self) -> Path:
        """Folder of what the server logged and ingest will read."""
        return self.root / "landing"

    @property
    def kv(self) -> Path:
        """Folder of the visitors' state."""
        return self.root / "kv"

    @property
    def scratch(self) -> Path:
        """Folder of what is being written or spilled; everything in it may be deleted when nothing runs."""
        return self.root / "scratch"

    @property
    def database(self) -> Path:
        """File of the catalog database."""
        return self.root / "endcap.db"

    @property
    def pulled_rows(self) -> Path:
        """Folder of the files with a database's rows."""
        return self.root / "pulled" / "database"

    @property
    def pulled_objects(self) -> Path:
        """Folder of the copies of an object store's objects."""
        return self.root / "pulled" / "objects"

    @property
    def source(self) -> Path:
        """Folder of the files with events; a relative path in endcap.toml is below the shop."""
        return self.pulled_rows if self.config.events.database is not None else self.feed_folder

    @property
    def feed_folder(self) -> Path:
        """Folder below which the catalogue's file lies."""
        events = self.config.events
        return self.pulled_objects if events.has_object_source else self.root / events.source

    def make_pulled(self) -> None:
        """Make the folder of what is pulled, which only its owner may read: raw ids of people lie in it."""
        (self.root / "pulled").mkdir(mode=0o700, exist_ok=True)

    def resource(self, name: str) -> Resource:
        """Return a part of the shop as the access door names it."""
        settings = self.config.shop
        return Resource(name=name, organisation=settings.organisation, project=settings.project, region=settings.region)

    def bundle_in_force(self) -> str:
        """Return the id of the bundle in force, "" if there is none yet."""
        current = self.bundles / "current"
        return current.read_text(encoding="ascii").strip() if current.exists() else ""

    @property
    def raw_ids(self) -> Path:
        """File that keeps, encrypted, whose each keyed hash is."""
        return self.root / "people" / "raw_ids.db"

    def user_key(self) -> bytes:
        """Return the key under which user ids are hashed, 32 bytes.

        Raises:
            ConfigError: There is none, or it is no key, or others may read its file.
        """
        path = self.root / "keys" / "user.key"
        return _read_key(path, USER_KEY_VARIABLE, "events hashed under another key can no longer be joined")

    def raw_ids_key(self) -> bytes:
        """Return the key under which raw ids are encrypted, 32 bytes; made where there is none and nothing to read.

        Raises:
            ConfigError: It is missing and there are raw ids, or it is no key, or others may read its file.
        """
        path = self.root / "keys" / "raw_ids.key"
        if RAW_IDS_KEY_VARIABLE not in os.environ and not self.raw_ids.exists():
            make_key(path)
        return _read_key(path, RAW_IDS_KEY_VARIABLE, "under another key the raw ids cannot be read")


def _read_key(path: Path, variable: str, why: str) -> bytes:
    """Read a key of 64 hex digits from a variable of the environment, else from a file that only its owner may read."""
    text = os.environ.get(variable)
    where = variable if text is not None else str(path)
    if text is None:
        if not path.exists():
            raise _bad_key("the shop's key is missing", where, why)
        if path.stat().st_mode & 0o077:
            raise _bad_key(f"the shop's key can be read by others (mode {path.stat().st_mode & 0o777:o})", where, why)
        text = path.read_text(encoding="ascii")
    if not re.fullmatch(r"[0-9a-f]{64}", text.strip()):
        raise _bad_key("this is no key of 64 hex digits", where, why)
    return bytes.fromhex(text.strip())


def find_shop(root: Path) -> Shop:
    """Open the folder of a shop.

    Raises:
        ConfigError: There is no shop, or its configuration cannot be used.
    """
    root = root.resolve()
    return Shop(root, load_config(root / "endcap.toml"))


def make_key(path: Path) -> None:
    """Write a new key that only its owner may read; an existing one is left alone."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")


def _bad_key(what: str, where: str, why: str) -> ConfigError:
    return ConfigError(
        what,
        where=where,
        fix=f"put the key back from your copy, with mode 600: {why}",
        code=Code.CONFIG_INVALID,
    )
