"""The audit log: who did or was refused what, and when. Rows are only ever added."""

import ipaddress
import re
from typing import Protocol

import msgspec

__all__ = ["AuditLog", "AuditRow", "KeptInMemory", "names_a_person", "without_people"]

_EMAIL = re.compile(r"[\w.+%-]{1,64}(?:@|%40)[\w-]+(?:\.[\w-]+)+", re.IGNORECASE)
_IPV4 = r"\d{1,3}(?:\.\d{1,3}){3}"
_ADDRESS = re.compile(rf"(?<![\w.])(?:[0-9a-f:]{{2,39}}:{_IPV4}|{_IPV4}|[0-9a-f:]{{2,39}})(?!\w)", re.IGNORECASE)


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done or refused.

    Args:
        at_us: When, microseconds UTC.
        actor: Who, as `kind:name`.
        action: What, a word of `access.Action`.
        resource: To what. A user is named by the keyed hash alone.
        outcome: "allowed" or "refused".
        organisation: Who owns the resource.
        project: The shop.
        region: Where its data may lie.
        detail: Why it was refused, or "".

    Raises:
        ValueError: `resource` or `detail` holds what looks like an e-mail or a network address.
    """

    at_us: int
    actor: str
    action: str
    resource: str
    outcome: str
    organisation: str
    project: str
    region: str
    detail: str = ""

    def __post_init__(self) -> None:
        """Refuse raw ids of people: an audit log cannot be cleaned of them later."""
        for name in ("resource", "detail"):
            if names_a_person(getattr(self, name)):
                raise ValueError(f"{name} of an audit row names a person: write the keyed hash")


class AuditLog(Protocol):
    """Where audit rows go. The catalog database has one; see `KeptInMemory` for tests and for work without a shop."""

    def append(self, row: AuditRow) -> None:
        """Keep a row for good; when this returns, the row is kept."""
        ...


class KeptInMemory:
    """An audit log that ends with the process: for commands that run without a shop.

    Args:
        rows: The rows so far, oldest first.
    """

    def __init__(self) -> None:
        self.rows: list[AuditRow] = []

    def append(self, row: AuditRow) -> None:
        """Keep a row."""
        self.rows.append(row)


def names_a_person(text: str) -> bool:
    """Say whether a text holds what looks like an e-mail address or an IP address.

    >>> names_a_person("user/ann@shop.example"), names_a_person("from 10.0.0.1"), names_a_person("from ::1")
    (True, True, True)
    >>> names_a_person("user/0db11465ff5d649790db1f2b4e1427c4 at 12:30:05 by endcap 0.1.0")
    False
    """
    return without_people(text) != text


def without_people(text: str) -> str:
    """Return a text with e-mail and IP addresses replaced by `[removed]`.

    >>> without_people("ann@shop.example asked from 10.0.0.1:8080 at 12:30:05")
    '[removed] asked from [removed]:8080 at 12:30:05'
    """
    return _ADDRESS.sub(_unless_no_address, _EMAIL.sub("[removed]", text))


def _unless_no_address(found: re.Match[str]) -> str:
    """Keep times of day and the like, which look like an address and are none."""
    try:
        ipaddress.ip_address(found[0])
    except ValueError:
        return found[0]
    return "[removed]"
