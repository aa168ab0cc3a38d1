"""Adapters of the places that a shop's events are pulled from, and the secrets by which they are reached."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from endcap.core.errors import Code, ConfigError
from endcap.events.config import EventsConfig
from endcap.events.place_config import DatabaseSource
from endcap.stores.objects import Objects
from endcap.stores.query import Query

__all__ = ["PASSWORD_VARIABLE", "open_objects", "open_query", "password_of"]

PASSWORD_VARIABLE = "ENDCAP_DATABASE_PASSWORD"  # noqa: S105 - its name
"""Environment variable with the database's password, in the place of keys/database.password."""


def open_objects(events: EventsConfig) -> Objects:
    """Open the object store that `events.source` names. Credentials come from the environment."""
    from endcap.stores.adapters.obstore import CloudObjects  # noqa: PLC0415 - only shops that need it load it

    return CloudObjects(events.source, endpoint=events.objects.endpoint, region=events.objects.region)


@contextmanager
def open_query(root: Path, settings: DatabaseSource) -> Iterator[Query]:
    """Open the query of `[events.database]` for the length of the block.

    Args:
        root: The shop's folder, to which the file of an SQLite database is relative.
        settings: `[events.database]`.

    Raises:
        ConfigError: Others may read the file of the password.
        SourceError: The database cannot be reached or refuses the query, see the adapter.
    """
    from endcap.stores.adapters.sqlalchemy import SqlQuery  # noqa: PLC0415 - likewise

    with SqlQuery(
        _from_shop(settings.url, root),
        settings.query,
        settings.watermark,
        password=password_of(root, "database", PASSWORD_VARIABLE),
    ) as query:
        yield query


def _from_shop(url: str, root: Path) -> str:
    """Make the path of an SQLite file one from the shop's folder on."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return url  # the adapter refuses it
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return url
    return parsed.set(database=str(root / parsed.database)).render_as_string(hide_password=False)


def password_of(root: Path, name: str, variable: str) -> str:
    """Return the password of a database, "" if none is said.

    Args:
        root: The shop's folder.
        name: Name of the file keys/<name>.password.
        variable: Environment variable in its place.

    Raises:
        ConfigError: Others may read the file.
    """
    told, path = os.environ.get(variable), root / "keys" / f"{name}.password"
    if told is not None:
        return told
    if not path.exists():
        return ""
    if path.stat().st_mode & 0o077:
        raise ConfigError(
            f"the password of the {name} can be read by others (mode {path.stat().st_mode & 0o777:o})",
            where=str(path),
            fix=f"chmod 600 {path}",
            code=Code.CONFIG_INVALID,
        )
    return path.read_text(encoding="utf-8").strip()
