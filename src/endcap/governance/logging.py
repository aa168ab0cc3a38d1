"""Logging: events with keys, as lines of JSON or for eyes, and never a raw id of a person.

Log by `structlog.get_logger().info("snapshot.written", table=..., rows=...)`. What other libraries log goes the same
way.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog

from endcap.core.clock import Clock, system_clock
from endcap.governance.audit import without_people

__all__ = ["configure_logging", "drop_raw_ids", "log_as_a_library"]

_NAMES = (
    "user_id",
    "pseudo_id",
    "client_id",
    "customer_id",
    "visitor_id",
    "device_id",
    "anonymous_id",
    "cookie",
    "email",
    "mail",
    "phone",
    "ip",
    "ip_address",
    "remote_addr",
    "remote_address",
    "x_forwarded_for",
    "authorization",
    "password",
)
# How such a name is written at the end of a key: userId, raw-user-id, clientIP; but "zip" and "ship" are no "ip".
_ANY_NAME = "|".join(name.replace("_", r"[_\- ]?") for name in _NAMES)
_KEY = re.compile(rf"(?:^|[^a-z])(?:{_ANY_NAME})s?$", re.IGNORECASE)
_TOLD = re.compile(
    rf"(?<![a-z])((?:{_ANY_NAME})s?['\"]?\s*(?:=>|=|:)\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&)}}\]]+)", re.IGNORECASE
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_DEEPEST = 8


def configure_logging(
    *, json: bool, level: str = "info", stream: TextIO | None = None, clock: Clock = system_clock
) -> None:
    """Set up logging for the process, for our own events and for those of other libraries.

    Args:
        json: One JSON object a line, for machines; else aligned text without colours.
        level: The least severe level that is told: debug, info, warning, error.
        stream: Where to; standard error if None, so that the output of a command stays clean.
        clock: What stamps `at_us`.
    """

    def stamp(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["at_us"] = clock()
        return event

    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        stamp,
    ]
    last = [structlog.processors.format_exc_info, drop_raw_ids, _renderer(json=json)]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def log_as_a_library() -> None:
    """Have our events go to the program that uses us, through the logger `endcap` of Python's own logging.

    The program decides what is told and where; until it does, Python tells warnings on standard error. Whoever has set
    structlog up is left alone.
    """
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.format_exc_info,
            drop_raw_ids,
            structlog.processors.KeyValueRenderer(key_order=["event"], sort_keys=True),
        ],
        logger_factory=lambda *_names: logging.getLogger("endcap"),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def drop_raw_ids(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Drop what may name a person: keys by their name, at any depth; e-mail and IP addresses in any text.

    Keyed hashes (`user_key`, `device_key`) stay.
    """
    return {key: _clean(value, depth=0) for key, value in event.items() if not _is_dropped(key)}


def _renderer(*, json: bool) -> Any:
    if json:
        return structlog.processors.JSONRenderer(sort_keys=True)
    return structlog.processors.KeyValueRenderer(key_order=["at_us", "level", "event"], sort_keys=True)


def _is_dropped(key: Any) -> bool:
    return bool(_KEY.search(_HUMP.sub("_", str(key))))


def _clean(value: Any, *, depth: int) -> Any:
    """Return a value as plain data without raw ids; what is no plain data is told as its cleaned text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return _clean_text(value)
    if depth < _DEEPEST and isinstance(value, Mapping):
        kept = {key: inner for key, inner in value.items() if not _is_dropped(key)}
        return {_clean_text(str(key)): _clean(inner, depth=depth + 1) for key, inner in kept.items()}
    if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [_clean(inner, depth=depth + 1) for inner in value]
    return _clean_text(repr(value))


def _clean_text(text: str) -> str:
    return without_people(_TOLD.sub(r"\1[removed]", text))
