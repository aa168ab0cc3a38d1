"""Errors as HTTP answers: problem+json (RFC 9457) with a stable code and what to do, whatever went wrong."""

from collections.abc import Sequence
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from endcap.core.errors import AccessError, BundleError, Code, EndcapError, RequestError, StoreError, near
from endcap.serving.wire import Problem, Rejected

__all__ = ["ROUTES", "all_rejected", "on_endcap_error", "on_http_error", "on_other_error"]

_log = structlog.get_logger()

ROUTES = {
    "/v1/recommend": "POST",
    "/v1/events": "POST",
    "/health/live": "GET",
    "/health/ready": "GET",
    "/metrics": "GET",
    "/openapi.json": "GET",
}
"""Path -> the method it understands."""

_STATUS: dict[type[EndcapError], int] = {RequestError: 400, AccessError: 403, BundleError: 503, StoreError: 503}
_STATUS_OF_CODE = {Code.TOO_MANY_EVENTS: 413, Code.EVENTS_REJECTED: 422}

AnyRequest = Request[Any, Any, Any]


def on_endcap_error(_request: AnyRequest, error: EndcapError) -> Response[bytes]:
    """Answer with an error that names its own cause and remedy."""
    status = _STATUS_OF_CODE.get(error.code) or _STATUS.get(type(error), 500)
    return _answer(status, error.code, error.what, error.fix, where=error.where)


def on_http_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Answer with what the framework found: no such route, another method, too large a body."""
    status = error.status_code
    path = request.scope["path"]
    if status == 404:
        what = f"there is no {path[:200]}; {near(path, ROUTES)}"
        return _answer(status, Code.ROUTE_UNKNOWN, what, "use one of the routes that /openapi.json lists")
    if status == 405:
        method = ROUTES.get(path, "POST")
        what = f"{path} does not understand {request.scope['method']}"
        return _answer(status, Code.METHOD_NOT_ALLOWED, what, f"use {method}", headers={"allow": method})
    if status == 413:
        return _answer(status, Code.BODY_TOO_LARGE, "the body is too large", "send fewer events at a time")
    return _answer(status, Code.REQUEST_INVALID, "the request cannot be understood", "look at /openapi.json")


def on_other_error(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Answer to our own mistake; the log has where it happened, and nothing of the request."""
    _log.error("request.failed", path=request.scope["path"], exc_info=error)
    fix = "report it with the server's log; the same request may work again"
    return _answer(500, Code.INTERNAL, "the server made a mistake", fix)


def all_rejected(rejected: Sequence[Rejected]) -> Response[bytes]:
    """Answer to a request of which no event was taken."""
    num, first = len(rejected), rejected[0]
    what = f"no event was taken, {num} {'was' if num == 1 else 'were'} rejected; the first: {first.detail}"
    return _answer(422, Code.EVENTS_REJECTED, what, "mend what `rejected` tells of each row", rejected=tuple(rejected))


def _answer(  # noqa: PLR0913 - the fields of a problem
    status: int,
    code: Code,
    what: str,
    fix: str,
    *,
    where: str = "",
    rejected: tuple[Rejected, ...] = (),
    headers: dict[str, str] | None = None,
) -> Response[bytes]:
    problem = Problem(
        type=f"urn:endcap:problem:{code}",
        title=code.replace("-", " "),
        status=status,
        detail=what,
        code=code,
        fix=fix,
        where=where or None,
        rejected=rejected,
    )
    return Response(
        msgspec.json.encode(problem), status_code=status, media_type="application/problem+json", headers=headers
    )
