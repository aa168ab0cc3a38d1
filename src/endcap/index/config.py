"""Settings of the index room: `[index]` of endcap.toml."""

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["IndexConfig"]


class IndexConfig(BaseModel):
    """How good an index has to be before it may be put into a bundle."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recall_bar: float = Field(
        default=0.99,
        ge=0,
        le=1,
        description="Least share of the exact best items that the index must find, at each k of recall_ks; a build "
        "below it fails. .99: the flat index is exact, so anything less is a fault.",
    )
    recall_ks: tuple[int, ...] = Field(
        default=(10, 100),
        min_length=1,
        description="Numbers of best items at which recall is measured. 10: a slate; 100: what sources are asked for.",
    )
    recall_queries: int = Field(
        default=500,
        ge=1,
        le=100_000,
        description="Queries that recall is measured on. 500: a few hundredths of a percent.",
    )
