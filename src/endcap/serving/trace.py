"""The trace that a request belongs to (W3C `traceparent`), by which its log events are joined with those of others."""

import re

__all__ = ["trace_id_of"]

# version - trace id - id of the caller's span - flags; a version after 00 may have more fields.
_TRACEPARENT = re.compile(rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


def trace_id_of(traceparent: bytes) -> str | None:
    """Return the trace id that a header names, 32 hex digits; None where the header is not valid.

    >>> trace_id_of(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    '4bf92f3577b34da6a3ce929d0e0e4736'
    """
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or (found[1] == b"00" and found[3]):
        return None
    return found[2].decode()
