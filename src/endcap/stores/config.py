"""Settings of where tables, bundles and the catalog are kept, and how tables are kept tidy."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

__all__ = ["StoresConfig"]


class StoresConfig(BaseModel):
    """Where tables, bundles and the catalog are kept, and how tables are kept tidy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
        description="Small files in one partition from which a refresh puts them together. 8: opening a file costs "
        "about as much as reading a megabyte of it, so fewer are not worth a rewrite.",
    )
    small_file_mb: float = Field(
        default=16.0,
        gt=0,
        le=1024,
        description="Megabytes (1e6 bytes) below which a file is small. 16: a sixth of what one file is written up to.",
    )

    @field_validator("catalog")
    @classmethod
    def _is_a_server(cls, value: str) -> str:
        if not value:
            return value
        try:
            url = make_url(value)
        except ArgumentError as error:
            raise ValueError("this is no URL such as postgresql+psycopg://user@host/database") from error
        if url.drivername not in ("postgresql", "postgresql+psycopg"):
            raise ValueError(f"the catalog lies on PostgreSQL or in SHOP/endcap.db, not on {url.drivername!r}")
        if url.password or _named_password(url.query):
            raise ValueError("keep the password out of endcap.toml: put it into keys/catalog.password")
        return url.set(drivername="postgresql+psycopg").render_as_string()


def _named_password(query: Any) -> bool:
    return "password" in query
