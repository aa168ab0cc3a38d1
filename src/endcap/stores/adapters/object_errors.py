"""What an object store's clients raise, told in the user's words: delta-rs and obstore wrap the same answers."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from endcap.core.errors import Code, StoreError

__all__ = ["is_of_a_store", "storage_error", "told_as_ours"]

_LONGEST = 200
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_CREDENTIALS_FIX = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN of a temporary key) in the environment, or "
    "give the machine a role; files below ~/.aws are not read"
)
_DENIED_FIX = (
    "let this key list the bucket and get, put and delete objects below the prefix (s3:ListBucket, s3:GetObject, "
    "s3:PutObject, s3:DeleteObject)"
)
_UNREACHABLE = (
    Code.STORAGE_UNREACHABLE,
    "the object store cannot be reached",
    "check stores.endpoint and the network; nothing is lost: run the same command again when it is back",
)
_KNOWN = {
    r"RequestTimeTooSkewed|RequestExpired": (
        Code.STORAGE_CLOCK,
        "the object store says that this machine's clock is wrong",
        "set the clock (`timedatectl set-ntp true`), then run the same command again",
    ),
    r"InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|169\.254\.|[Cc]redential": (
        Code.STORAGE_CREDENTIALS,
        "there are no credentials for the object store, or it does not know them",
        _CREDENTIALS_FIX,
    ),
    r"AccessDenied|AllAccessDisabled|403 Forbidden|401 Unauthorized": (
        Code.STORAGE_DENIED,
        "the object store denies this",
        _DENIED_FIX,
    ),
    r"NoSuchBucket|NoSuchKey|404 Not Found|PermanentRedirect|InvalidBucketName|301 Moved": (
        Code.STORAGE_MISSING,
        "there is no such bucket or object",
        "make the bucket, or mend stores.lake, stores.bundles, stores.endpoint or stores.region in endcap.toml",
    ),
}


def is_of_a_store(error: BaseException) -> bool:
    """Whether an error came from an object store, and not from the rows that were to be written there."""
    return bool(re.search(r"S3 error|[Oo]bject at location|object store|HTTP error", str(error)))


def storage_error(error: BaseException, *, where: str) -> StoreError:
    """Return an error of an object store as ours, by what its text says of the answer."""
    text = _COLOURS.sub("", str(error)).partition("\n\nDebug source")[0]
    code, what, fix = next((told for pattern, told in _KNOWN.items() if re.search(pattern, text)), _UNREACHABLE)
    lines = [line.strip(" \t↳") for line in text.splitlines() if line.strip(" \t↳")]
    named = re.search(r"<Code>(\w+)</Code>", text)
    detail = named.group(1) if named else (lines[-1] if lines else type(error).__name__)
    return StoreError(f"{what}: {detail[-_LONGEST:]}", where=where, fix=fix, code=code)


@contextmanager
def told_as_ours(where: str, *kinds: type[BaseException]) -> Iterator[None]:
    """Tell errors of these kinds that come from an object store as ours; `where` is its URL."""
    try:
        yield
    except kinds as error:
        raise storage_error(error, where=where) from error
