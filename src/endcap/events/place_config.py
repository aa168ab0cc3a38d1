"""Settings of the places from which a shop's files are pulled: `[events.database]` and `[events.objects]`."""

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["OBJECT_SCHEMES", "DatabaseSource", "ObjectSettings", "is_object_url", "known_source"]

OBJECT_SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss")
"""Schemes of the URLs of object stores."""

_SECRET = r"(?i)pass|pwd|secret|token|key$|signature|credential"  # noqa: S105 - what names of secrets look like
_ELSEWHERE = (
    "secrets do not stand in endcap.toml: take it out, and set the environment variable ENDCAP_DATABASE_PASSWORD or "
    "write it to keys/database.password below the shop, mode 600"
)
_TABLE = r"[^\W\d][\w$]*(\.[^\W\d][\w$]*){0,2}"


def is_object_url(source: str) -> bool:
    """Return whether a source is the URL of an object store, and not a folder.

    >>> [is_object_url(source) for source in ("s3://shop/export", "export", "/mnt/s3")]
    [True, False, False]
    """
    return "://" in source and source.partition("://")[0].lower() in OBJECT_SCHEMES


def known_source(source: str) -> str:
    """Return a folder or an object store's URL as it is; what is neither, or holds a secret, is a ValueError.

    A URL is never repeated in the message: it may hold a secret.
    """
    scheme, mark, _ = source.partition("://")
    if not mark or "/" in scheme:
        return source
    if not is_object_url(source):
        msg = (
            f"'{scheme}://' is no place that files are pulled from ({', '.join(OBJECT_SCHEMES)}); a database stands "
            "under [events.database], a folder is written without file://"
        )
        raise ValueError(msg)
    split = urlsplit(source)
    # abfss://container@account.dfs.core.windows.net/path is how Azure writes it; no other scheme has an @.
    if split.password or (split.username and not scheme.startswith("abfs")) or split.query:
        msg = (
            "the URL holds more than a bucket and a prefix; credentials do not stand in endcap.toml: set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS or "
            "AZURE_STORAGE_ACCOUNT_KEY in the environment"
        )
        raise ValueError(msg)
    if not split.netloc:
        msg = "the URL names no bucket; write it as s3://bucket/prefix"
        raise ValueError(msg)
    return source


class ObjectSettings(BaseModel):
    """How an object store is reached, where `source` is the URL of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str = Field(
        default="",
        pattern=r"^(https?://[^@\s]+)?$",
        description='URL of an S3-compatible server (MinIO, R2, Ceph), such as "https://s3.shop.example"; "": the '
        "cloud's own. Plain http:// is taken at its word.",
    )
    region: str = Field(
        default="",
        description='Region of the bucket; "": what AWS_REGION says, else us-east-1. Other clouds need none.',
    )


class DatabaseSource(BaseModel):
    """A query whose new rows are pulled into Parquet files below the shop, and read by `[events.reader]` from there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(
        description="SQLAlchemy URL without a password: postgresql+psycopg://reader@host/shop, sqlite:///shop.db "
        "(relative to the shop). The password: ENDCAP_DATABASE_PASSWORD or keys/database.password."
    )
    query: str = Field(min_length=1, description="A table's name (schema.table), or a SELECT.")
    watermark: str = Field(
        min_length=1,
        description="Column that grows with every row that is written: an integer or a timestamp, never missing. An "
        "index on it makes a pull cheap.",
    )
    overlap: int = Field(
        default=3600,
        ge=0,
        le=10**12,
        description="How far below the latest watermark rows are looked for that were committed late: seconds of a "
        "timestamp, steps of an integer. 3600: an hour is longer than most transactions.",
    )
    file_rows: int = Field(
        default=100_000,
        ge=1,
        le=10_000_000,
        description="Most rows of a pulled file; so many are held in memory. 1e5: files are few, and small enough.",
    )

    @field_validator("url")
    @classmethod
    def _has_no_secret(cls, url: str) -> str:
        scheme, mark, rest = url.partition("://")
        if not mark or not re.fullmatch(r"[a-z0-9]+(\+[a-z0-9_]+)?", scheme):
            msg = "this is no URL of a database; write it as postgresql+psycopg://reader@host/shop"
            raise ValueError(msg)
        # By hand: a password may hold what urlsplit takes for the end of the host.
        if ":" in rest.rpartition("@")[0] or _secrets(dict(parse_qsl(rest.partition("?")[2], keep_blank_values=True))):
            msg = f"the URL holds a password; {_ELSEWHERE}"
            raise ValueError(msg)
        return url

    @field_validator("query")
    @classmethod
    def _is_a_query(cls, query: str) -> str:
        text = query.strip().rstrip(";").rstrip()
        if not re.match(r"(?is)(select|with)\b", text) and not re.fullmatch(_TABLE, text):
            msg = "this is neither the name of a table (schema.table) nor a SELECT"
            raise ValueError(msg)
        return text

    @property
    def is_table(self) -> bool:
        """Whether `query` is the name of a table."""
        return re.fullmatch(_TABLE, self.query) is not None


def _secrets(settings: Mapping[str, str]) -> list[str]:
    return [name for name in settings if re.search(_SECRET, name)]
