"""The OpenAPI 3.1 document, made from the messages themselves, so that it says what is checked."""

from collections.abc import Sequence
from typing import Any

import msgspec

from endcap.core.slate import Slate
from endcap.core.version import __version__
from endcap.serving.wire import EventRequest, EventsAnswer, Explained, Problem, RecommendRequest

__all__ = ["openapi"]

_MESSAGES = [RecommendRequest, Slate, Explained, EventRequest, EventsAnswer, Problem]
_REF = "#/components/schemas/{name}"
_TRACEPARENT = {
    "name": "traceparent",
    "in": "header",
    "description": "W3C trace context. The server's log names the trace in what it tells of the request; one that is "
    "not valid is passed over.",
    "schema": {"type": "string"},
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A text of this request's own, such as a UUID, that is sent again with it. An event without "
    "event_id gets one from the key, its place in the request, its visitor and its name: it counts once in the tables.",
    "schema": {"type": "string"},
}


def openapi(*, max_events: int) -> dict[str, Any]:
    """Return the document.

    Args:
        max_events: Most events in one request.
    """
    _, components = msgspec.json.schema_components(_MESSAGES, ref_template=_REF)
    one_or_more = {
        "oneOf": [_ref("EventRequest"), {"type": "array", "items": _ref("EventRequest"), "maxItems": max_events}]
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Endcap",
            "version": __version__,
            "description": "Recommendations, and the events that they are made from.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/v1/recommend": {
                "post": _operation(
                    "recommend",
                    "Recommend items for a visitor or beside an item",
                    {"200": _json("The slate", {"oneOf": [_ref("Slate"), _ref("Explained")]})}
                    | _problems("400", "403", "413", "503"),
                    _ref("RecommendRequest"),
                )
            },
            "/v1/events": {
                "post": _operation(
                    "events",
                    "Take in events; when this answers, they are on disk and felt by the next recommendation",
                    {"200": _json("What became of each", _ref("EventsAnswer"))}
                    | _problems("400", "403", "413", "422", "503"),
                    one_or_more,
                    (_IDEMPOTENCY_KEY,),
                )
            },
            "/health/live": {
                "get": _operation("live", "Whether the process answers", _told("It does") | _problems("403"))
            },
            "/health/ready": {
                "get": _operation(
                    "ready", "Whether there is a bundle to answer by", _told("There is") | _problems("403", "503")
                )
            },
            "/metrics": {
                "get": _operation(
                    "metrics",
                    "Meters in Prometheus' text format",
                    {"200": {"description": "The meters", "content": {"text/plain": {"schema": {"type": "string"}}}}}
                    | _problems("403"),
                )
            },
            "/openapi.json": {"get": _operation("openapi", "This document", _told("The document") | _problems("403"))},
        },
        "components": {"schemas": components},
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _REF.format(name=name)}


def _operation(
    name: str,
    summary: str,
    responses: dict[str, Any],
    body: dict[str, Any] | None = None,
    headers: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "parameters": [*headers, _TRACEPARENT],
        "responses": responses,
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def _json(what: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": what, "content": {"application/json": {"schema": schema}}}


def _told(what: str) -> dict[str, Any]:
    return {"200": _json(what, {"type": "object"})}


def _problems(*statuses: str) -> dict[str, Any]:
    problem = {"description": "What went wrong", "content": {"application/problem+json": {"schema": _ref("Problem")}}}
    return dict.fromkeys(statuses, problem)
