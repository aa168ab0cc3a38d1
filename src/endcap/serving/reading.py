"""Reading JSON into the messages of the interface: what is wrong becomes an error with path, near names and a fix."""

import re
from typing import NamedTuple

import msgspec

from endcap.core.errors import Code, RequestError, near

__all__ = ["Fault", "fault_of", "read_rows", "request_error"]

_PATH = re.compile(r" - at `(\$[^`]*)`$")
_UNKNOWN = re.compile(r"unknown field `(.*)`$", re.DOTALL)
_MISSING = re.compile(r"missing required field `(.*)`$")


class Fault(NamedTuple):
    """What is wrong with a message.

    Args:
        code: Of body-malformed, field-unknown, field-missing and field-type.
        what: In a sentence, without any value of the message.
        where: The path to it.
    """

    code: Code
    what: str
    where: str


def fault_of(error: msgspec.MsgspecError, message: type[msgspec.Struct]) -> Fault:
    """Tell what msgspec found.

    Args:
        error: What it raised.
        message: What was read, whose fields are near names.
    """
    if not isinstance(error, msgspec.ValidationError):
        return Fault(Code.BODY_MALFORMED, f"this is no JSON: {error}", "$")
    text = str(error)
    found = _PATH.search(text)
    path = found.group(1) if found else "$"
    what = _PATH.sub("", text)
    if unknown := _UNKNOWN.search(what):
        name = unknown.group(1)[:80]
        known = _fields_at(message, path)
        return Fault(Code.FIELD_UNKNOWN, f"unknown field '{name}'; {near(name, known)}", path)
    if missing := _MISSING.search(what):
        return Fault(Code.FIELD_MISSING, f"the field '{missing.group(1)}' is missing", path)
    return Fault(Code.FIELD_TYPE, what[:1].lower() + what[1:].replace("`", "'"), path)


_FIXES = {
    Code.BODY_MALFORMED: "send one JSON object, UTF-8; numbers and strings as JSON writes them",
    Code.FIELD_UNKNOWN: "correct the name or leave it out; /openapi.json lists every field",
    Code.FIELD_MISSING: "add the field; /openapi.json lists every field",
    Code.FIELD_TYPE: "send the type and range that /openapi.json names",
}


def request_error(error: msgspec.MsgspecError, message: type[msgspec.Struct]) -> RequestError:
    """Return the error of a request whose body cannot be read."""
    fault = fault_of(error, message)
    return RequestError(fault.what, where=fault.where, fix=_FIXES[fault.code], code=fault.code)


def read_rows(body: bytes, *, most: int) -> list[msgspec.Raw]:
    """Cut a body into its rows: one object, or a list of them.

    Raises:
        RequestError: It is no JSON, or has too many rows.
    """
    try:
        if body.lstrip()[:1] != b"[":
            return [msgspec.json.decode(body, type=msgspec.Raw)]
        rows = msgspec.json.decode(body, type=list[msgspec.Raw])
    except msgspec.MsgspecError as error:
        raise request_error(error, msgspec.Struct) from error
    except UnicodeDecodeError as error:
        raise request_error(msgspec.DecodeError("it is not UTF-8"), msgspec.Struct) from error
    if len(rows) > most:
        raise RequestError(
            f"the request has {len(rows):,} events, at most {most:,} are taken",
            where="$",
            fix=f"send them {most:,} at a time",
            code=Code.TOO_MANY_EVENTS,
        )
    return rows


def _fields_at(message: type[msgspec.Struct], path: str) -> tuple[str, ...]:
    """Return the fields of the message, or of its items where the path leads into them."""
    if message is msgspec.Struct:
        return ()
    of_items = msgspec.json.schema_components([message])[1].get("EventItem", {}).get("properties", {})
    return tuple(of_items) if ".items" in path else message.__struct_fields__
