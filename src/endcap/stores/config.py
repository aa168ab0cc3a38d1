"""Settings of the room: how long versions of tables stay, and when small files are put together."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["StoresConfig"]


class StoresConfig(BaseModel):
    """How tables are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
