"""A bucket of S3, or of what speaks like it, by obstore: what the house writes there itself."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import from_url

from endcap.core.clock import microseconds_of
from endcap.stores.adapters.object_errors import is_of_a_store, storage_error
from endcap.stores.objects import StoredObject

__all__ = ["DELTA_RETRIES", "S3Bucket", "delta_options"]

_CONNECT_S, _TIMEOUT_S, _RETRIES, _RETRY_S = 5, 300, 3, 30
_PIECE = 4 * 1024 * 1024

DELTA_RETRIES = {
    "connect_timeout": f"{_CONNECT_S}s",
    "timeout": f"{_TIMEOUT_S}s",
    "max_retries": str(_RETRIES),
    "retry_timeout": f"{_RETRY_S}s",
}
"""The same patience in delta-rs's words: by default it asks ten times within three minutes."""


def delta_options(endpoint: str, region: str) -> dict[str, str]:
    """Return how delta-rs reaches the same store; credentials come from the environment there, too."""
    options = dict(DELTA_RETRIES)
    if endpoint:
        options["AWS_ENDPOINT_URL"] = endpoint
    if endpoint.startswith("http://"):
        options["AWS_ALLOW_HTTP"] = "true"
    if region:
        options["AWS_REGION"] = region
    return options


class S3Bucket:
    """The bucket port on one prefix. Credentials come from the environment or the machine's role.

    Args:
        url: `s3://bucket/prefix`.
        endpoint: URL of an S3-compatible server; "" for Amazon's own.
        region: Of the bucket; "" for what the environment says.
    """

    def __init__(self, url: str, *, endpoint: str = "", region: str = "") -> None:
        self.url = url
        # Any: which settings there are depends on the URL's scheme.
        config: Any = {name: value for name, value in (("endpoint", endpoint), ("region", region)) if value}
        client: Any = {"connect_timeout": timedelta(seconds=_CONNECT_S), "timeout": timedelta(seconds=_TIMEOUT_S)}
        if endpoint.startswith("http://"):
            client["allow_http"] = True
        retry: Any = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_S)}
        with self._told():
            self._store: Any = from_url(url, config=config, client_options=client, retry_config=retry)

    def list(self, below: str = "") -> list[StoredObject]:
        """Return all objects below a folder; see the port."""
        with self._told():
            found = [_object(meta) for chunk in self._store.list(below or None) for meta in chunk]
        return sorted(found, key=lambda each: each.key)

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Return an object and its etag; see the port."""
        with self._told(key):
            try:
                got = obstore.get(self._store, key)
                return bytes(got.bytes()), got.meta["e_tag"] or ""
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise
                return None

    def fetch(self, key: str, path: Path) -> None:
        """Write an object to a file; see the port."""
        with self._told(key), path.open("wb") as file:
            for piece in obstore.get(self._store, key).stream(min_chunk_size=_PIECE):
                file.write(piece)

    def put(self, key: str, content: bytes | Path) -> None:
        """Write an object; see the port. A large file goes in parts, and is there when all of them are."""
        with self._told(key):
            obstore.put(self._store, key, content)

    def put_if(self, key: str, content: bytes, etag: str | None) -> bool:
        """Write an object under a condition; see the port."""
        with self._told(key):
            try:
                obstore.put(self._store, key, content, mode="create" if etag is None else {"e_tag": etag})
            except (AlreadyExistsError, PreconditionError):
                return False
            except FileNotFoundError as error:  # its condition names an object that is gone
                if "NoSuchBucket" in str(error) or etag is None:
                    raise
                return False
            return True

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects; see the port."""
        if named := list(keys):
            with self._told():
                obstore.delete(self._store, named)

    @contextmanager
    def _told(self, key: str = "") -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            if isinstance(error, OSError) and not is_of_a_store(error):
                raise  # of the local disk
            raise storage_error(error, where=f"{self.url}/{key}".rstrip("/")) from error


def _object(meta: Any) -> StoredObject:
    return StoredObject(meta["path"], meta["size"], microseconds_of(meta["last_modified"]), meta["e_tag"] or "")
