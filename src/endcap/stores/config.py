"""Settings of the room: where tables and bundles lie, and how an object store is reached."""

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["StoresConfig", "is_object_store"]


def is_object_store(place: str) -> bool:
    """Return whether a place is the URL of an object store, and not a folder.

    >>> [is_object_store(place) for place in ("s3://bucket/shop", "lake", "/mnt/s3")]
    [True, False, False]
    """
    return place.startswith("s3://")


class StoresConfig(BaseModel):
    """Where tables and bundles lie: below the shop, or in a bucket of S3 or of what speaks like it."""

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
