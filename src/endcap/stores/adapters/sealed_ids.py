"""Raw ids in a SQLite file of their own, each sealed by AES-256-GCM (NIST SP 800-38D) under a key of its own."""

import hashlib
import hmac
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from endcap.core.errors import Code, StoreError

__all__ = ["SealedIds"]

_BATCH = 500
_NONCE_BYTES = 12
_WORD = "the key of these ids"


class SealedIds:
    """The port of raw ids on one file that only its owner may read.

    What is taken out is overwritten in the file (secure_delete), and no journal keeps it.

    Args:
        path: The file; it and its folder are made when something is to be kept.
        key: 32 bytes. Another key than the shop's user key: who has that one can hash ids, not read them.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._cipher = AESGCM(key)
        self._nonce_key = hashlib.sha256(b"nonces of raw ids" + key).digest()
        self._opened: sqlite3.Connection | None = None

    def remember(self, names: Mapping[str, str]) -> None:
        """Keep ids; see the port. Equal ids under equal keys give equal bytes, in whatever order they come."""
        with self._told_as_ours():
            known = {key for key, _ in self._rows(names)}
            fresh = sorted(key for key in names if key not in known)
            if not fresh:
                return
            with self._connection() as connection:
                connection.executemany(
                    "INSERT OR IGNORE INTO raw_id (user_key, sealed) VALUES (?, ?)",
                    ((bytes.fromhex(key), self._sealed(key, names[key])) for key in fresh),
                )

    def find(self, keys: Iterable[str]) -> dict[str, str]:
        """Return what is known; see the port."""
        with self._told_as_ours():
            return {key: self._opened_text(key, sealed) for key, sealed in self._rows(keys)}

    def forget(self, keys: Iterable[str]) -> int:
        """Take ids out; see the port."""
        told = [(bytes.fromhex(key),) for key in sorted(set(keys))]
        if not self._path.exists() or not told:
            return 0
        with self._told_as_ours(), self._connection() as connection:
            return connection.executemany("DELETE FROM raw_id WHERE user_key = ?", told).rowcount

    def close(self) -> None:
        """Let go of the file."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _rows(self, keys: Iterable[str]) -> list[tuple[str, bytes]]:
        if not self._path.exists():
            return []
        wanted, found = sorted(set(keys)), []
        for start in range(0, len(wanted), _BATCH):
            some = [bytes.fromhex(key) for key in wanted[start : start + _BATCH]]
            marks = ", ".join("?" * len(some))
            query = f"SELECT user_key, sealed FROM raw_id WHERE user_key IN ({marks})"  # noqa: S608 - question marks alone
            found += [(key.hex(), sealed) for key, sealed in self._connection().execute(query, some)]
        return found

    def _sealed(self, key: str, name: str) -> bytes:
        # A key stands for one id alone, so a nonce made from it is never used for two texts.
        nonce = hmac.new(self._nonce_key, key.encode(), hashlib.sha256).digest()[:_NONCE_BYTES]
        return nonce + self._cipher.encrypt(nonce, name.encode(), key.encode())

    def _opened_text(self, key: str, sealed: bytes) -> str:
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], key.encode()).decode()
        except InvalidTag as error:
            raise StoreError(
                "a raw id cannot be read under this key, or was changed",
                where=str(self._path),
                fix="put keys/raw_ids.key (or ENDCAP_RAW_IDS_KEY) back from your copy, or the file from one",
                code=Code.RAW_IDS,
            ) from error

    def _connection(self) -> sqlite3.Connection:
        """Open the file, make it where there is none, and see that it was sealed under this key."""
        if self._opened is None:
            if not self._path.exists():
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
            mode = self._path.stat().st_mode & 0o777
            if mode & 0o077:
                raise self._refused(f"others may read the file (mode {mode:o})", "set its mode to 600")
            opened = sqlite3.connect(self._path)
            try:
                self._prepare(opened)
            except BaseException:
                opened.close()
                raise
            self._opened = opened
        return self._opened

    def _prepare(self, opened: sqlite3.Connection) -> None:
        opened.execute("PRAGMA secure_delete = ON")
        opened.execute("PRAGMA journal_mode = DELETE")
        with opened:
            opened.execute(
                "CREATE TABLE IF NOT EXISTS raw_id (user_key BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID"
            )
            opened.execute("CREATE TABLE IF NOT EXISTS sealed_word (word BLOB NOT NULL)")
            known = opened.execute("SELECT word FROM sealed_word").fetchone()
            if known is None:
                opened.execute("INSERT INTO sealed_word (word) VALUES (?)", [self._sealed(_WORD, _WORD)])
        if known is not None:
            self._opened_text(_WORD, known[0])

    @contextmanager
    def _told_as_ours(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            fix = "give the user who runs endcap the right to write there, or put the file back from a copy"
            raise self._refused(str(error), fix) from error

    def _refused(self, what: str, fix: str) -> StoreError:
        return StoreError(f"the raw ids cannot be used: {what}", where=str(self._path), fix=fix, code=Code.RAW_IDS)
