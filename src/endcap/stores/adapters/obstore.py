"""Object stores by obstore (Rust's object_store): S3 and what speaks like it, Google Cloud Storage, Azure."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from endcap.core.clock import microseconds_of
from endcap.core.errors import Code, SourceError
from endcap.stores.objects import StoredObject

__all__ = ["CloudObjects"]

_CONNECT_S, _RETRIES, _RETRY_S = 10, 4, 60
_PIECE = 4 * 1024 * 1024
_LONGEST = 300


class CloudObjects:
    """The object port on one prefix of a bucket. Credentials come from the environment, named as the clouds name them.

    Args:
        url: Such as `s3://bucket/prefix`.
        endpoint: URL of an S3-compatible server; "" for the cloud's own.
        region: Of the bucket; "" for what the environment says.

    Raises:
        SourceError: The environment does not say enough to reach the store (SOURCE_UNREACHABLE).
    """

    def __init__(self, url: str, *, endpoint: str = "", region: str = "") -> None:
        self._url = url
        # Any: which settings there are depends on the URL's scheme.
        config: Any = {name: value for name, value in (("endpoint", endpoint), ("region", region)) if value}
        client: Any = {"connect_timeout": timedelta(seconds=_CONNECT_S)}
        if endpoint.startswith("http://"):
            client["allow_http"] = True
        retry: Any = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_S)}
        with self._told():
            self._store: Any = from_url(url, config=config, client_options=client, retry_config=retry)

    def list(self) -> list[StoredObject]:
        """Return all objects below the prefix; see the port."""
        with self._told():
            found = [_object(meta) for chunk in self._store.list() for meta in chunk]
        return sorted(found, key=lambda each: each.key)

    @contextmanager
    def read(self, key: str) -> Iterator[tuple[StoredObject, Iterator[bytes]] | None]:
        """Open an object; see the port. What it is and its bytes come with one answer, so they belong together."""
        with self._told():
            try:
                got = obstore.get(self._store, key)
            except FileNotFoundError:
                got = None
        yield None if got is None else (_object(got.meta), self._pieces(got))

    def _pieces(self, got: Any) -> Iterator[bytes]:
        with self._told():
            for piece in got.stream(min_chunk_size=_PIECE):
                yield bytes(piece)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell what the library raises in the user's words: the first line, for the others repeat it at length."""
        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            line = next(iter(str(error).splitlines()), type(error).__name__)[:_LONGEST]
            raise SourceError(
                f"the object store cannot be read: {line}",
                where=f"events.source = {self._url!r}",
                fix="check bucket, prefix, [events.objects] and the credentials in the environment (AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY, AWS_REGION; GOOGLE_APPLICATION_CREDENTIALS; AZURE_STORAGE_ACCOUNT_NAME, "
                "AZURE_STORAGE_ACCOUNT_KEY)",
                code=Code.SOURCE_UNREACHABLE,
            ) from error


def _object(meta: Any) -> StoredObject:
    return StoredObject(meta["path"], meta["size"], microseconds_of(meta["last_modified"]), meta["e_tag"] or "")
