"""Raw ids in a SQLite file of their own, each sealed by AES-256-GCM (NIST SP 800-38D) under a key of its own."""

import hashlib
import hmac
import os
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from endcap.core.errors import Code, StoreError

__all__ = ["SealedIds"]

_BATCH = 500
_NONCE_BYTES = 12


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
        known = self.find_keys(names)
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
        return {key: self._opened_text(key, sealed) for key, sealed in self._rows(keys)}

    def find_keys(self, keys: Iterable[str]) -> set[str]:
        """Return which of some keys are known, without reading what they stand for."""
        return {key for key, _ in self._rows(keys)}

    def forget(self, keys: Iterable[str]) -> int:
        """Take ids out; see the port."""
        if not self._path.exists():
            return 0
        with self._connection() as connection:
            told = [(bytes.fromhex(key),) for key in sorted(set(keys))]
            return connection.executemany("DELETE FROM raw_id WHERE user_key = ?", told).rowcount if told else 0

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
                fix="put keys/raw_ids.key back from your copy, or the file from one",
                code=Code.RAW_IDS,
            ) from error

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            try:
                if not self._path.exists():
                    self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                    os.close(os.open(self._path, os.O_CREAT | os.O_WRONLY, 0o600))
                self._opened = sqlite3.connect(self._path)
                self._opened.execute("PRAGMA secure_delete = ON")
                self._opened.execute("PRAGMA journal_mode = DELETE")
                self._opened.execute(
                    "CREATE TABLE IF NOT EXISTS raw_id (user_key BLOB PRIMARY KEY, sealed BLOB NOT NULL) WITHOUT ROWID"
                )
            except (OSError, sqlite3.Error) as error:
                raise StoreError(
                    f"the raw ids cannot be opened: {error}",
                    where=str(self._path),
                    fix="give the user who runs endcap the right to write there, or put the file back from a copy",
                    code=Code.RAW_IDS,
                ) from error
        return self._opened
