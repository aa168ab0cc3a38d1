"""Settings of the room: where tables, bundles and the catalog lie, how they are kept, and where runs are mirrored."""

from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

__all__ = ["StoresConfig", "TrackingConfig", "is_object_store"]


def is_object_store(place: str) -> bool:
    """Return whether a place is the URL of an object store, and not a folder.

    >>> [is_object_store(place) for place in ("s3://bucket/shop", "lake", "/mnt/s3")]
    [True, False, False]
    """
    return place.startswith("s3://")


class StoresConfig(BaseModel):
    """Where tables, bundles and the catalog lie (below the shop, in a bucket, on a server), and how tables are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lake: str = Field(
        default="",
        description='Where the tables lie: a folder (relative to the shop) or s3://bucket/prefix. "": SHOP/lake. '
        "Credentials come from the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or the machine's role.",
    )
    bundles: str = Field(
        default="",
        description='Where the bundles lie, likewise. "": SHOP/bundles. Servers elsewhere need only this.',
    )
    endpoint: str = Field(
        default="",
        pattern=r"^(https?://[^@\s]+)?$",
        description='URL of an S3-compatible server (MinIO, Ceph, R2), such as "https://s3.shop.example"; "": '
        "Amazon's own. Plain http:// is taken at its word.",
    )
    region: str = Field(default="", description='Region of the bucket; "": what AWS_REGION says, else us-east-1.')
    cache_gb: float = Field(
        default=50.0,
        gt=0,
        le=100_000,
        description="Gigabytes (1e9 bytes) of SHOP/cache that copies of a lake's files may take; the longest unused go "
        "first, what a run reads stays while it runs. 50: a small part of an NVMe disk, a month of a large shop.",
    )
    catalog: str = Field(
        "",
        description="SQLAlchemy URL of the PostgreSQL database with ledger, leases and audit log, "
        'postgresql+psycopg://user@host/database; its password lies in keys/catalog.password. "": the file '
        "SHOP/endcap.db, right for all runners on one machine.",
    )
    keep_versions_days: int = Field(
        default=7,
        ge=1,
        le=3650,
        description="Days for which every version of a table stays readable. Versions that a manifest names stay until "
        "they are erased, whatever this says. 7: a week to look at what a run that failed has written.",
    )
    compact_files: int = Field(
        default=8,
        ge=2,
        le=100_000,
        description="Small files in one partition from which a refresh puts them together. 8: a hundred in the "
        "place of one make a scan take seven times as long (benchmarks/compaction.py); a few make no difference.",
    )
    small_file_mb: float = Field(
        default=16.0,
        gt=0,
        le=1024,
        description="Megabytes (1e6 bytes) below which a file is small. 16: a sixth of what one file is written up to.",
    )

    @field_validator("lake", "bundles")
    @classmethod
    def _is_a_place(cls, place: str) -> str:
        """Refuse what is neither a folder nor a bucket; a URL is never repeated, for it may hold a secret."""
        scheme, mark, _ = place.partition("://")
        if not mark:
            return place
        if not is_object_store(place):
            msg = f"'{scheme[:20]}://' is no place that is written to; write s3://bucket/prefix, or a folder without file://"
            raise ValueError(msg)
        split = urlsplit(place)
        if split.username or split.password or split.query:
            msg = "the URL holds more than a bucket and a prefix; credentials stand in the environment"
            raise ValueError(msg)
        if not split.netloc or not split.path.strip("/"):
            msg = "the URL names no bucket and prefix; write it as s3://bucket/prefix"
            raise ValueError(msg)
        return place.rstrip("/")

    @field_validator("catalog")
    @classmethod
    def _is_a_server(cls, value: str) -> str:
        if not value:
            return value
        # Imported late: a server reads these settings too, and needs no database.
        from sqlalchemy import make_url  # noqa: PLC0415
        from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

        try:
            url = make_url(value)
        except ArgumentError as error:
            raise ValueError("this is no URL such as postgresql+psycopg://user@host/database") from error
        if url.drivername not in ("postgresql", "postgresql+psycopg"):
            raise ValueError(f"the catalog lies on PostgreSQL or in SHOP/endcap.db, not on {url.drivername!r}")
        if url.password or _named_password(url.query):
            raise ValueError("keep the password out of endcap.toml: put it into keys/catalog.password")
        return url.set(drivername="postgresql+psycopg").render_as_string()


class TrackingConfig(BaseModel):
    """Where each fitted model is mirrored as a run, with settings, training curve and measures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mlflow: str = Field(
        default="",
        description="MLflow server, http://mlflow.internal:5000, or sqlite:///mlflow.db, a file below the shop; "
        'needs endcap[mlflow]. "": nothing is mirrored. Credentials: MLFLOW_TRACKING_USERNAME and '
        "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment.",
    )
    experiment: str = Field(
        default="", max_length=250, description='Name of the experiment there. "": endcap/ and the name of the shop.'
    )

    @field_validator("mlflow")
    @classmethod
    def _is_a_server(cls, uri: str) -> str:
        """Refuse what is neither a server nor a SQLite file; a URL is never repeated, for it may hold a secret."""
        scheme, mark, rest = uri.partition("://")
        if not uri:
            return uri
        if not mark or scheme not in ("http", "https", "sqlite"):
            msg = "write http://host:port, https://host or sqlite:///mlflow.db; MLflow no longer keeps runs in folders"
            raise ValueError(msg)
        if scheme == "sqlite":
            if not rest.startswith("/") or not rest.strip("/") or "?" in rest:
                msg = "the URL names no file; write it as sqlite:///mlflow.db"
                raise ValueError(msg)
            return uri
        split = urlsplit(uri)
        if "@" in split.netloc or split.query:
            msg = "the URL holds more than a host and a path; credentials stand in the environment"
            raise ValueError(msg)
        if not split.hostname:
            msg = "the URL names no host; write it as http://host:port"
            raise ValueError(msg)
        return uri.rstrip("/")

    @model_validator(mode="after")
    def _is_used(self) -> "TrackingConfig":
        if self.experiment and not self.mlflow:
            msg = "experiment would be ignored: tracking.mlflow names no server"
            raise ValueError(msg)
        return self


def _named_password(query: Any) -> bool:
    return "password" in query
