"""The HTTP application: routes, the access door, errors as problems. What is behind them is in `service`."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog
from litestar import Litestar, Request, Response, get, post
from litestar.exceptions import HTTPException
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from endcap.core.clock import Clock
from endcap.core.errors import EndcapError
from endcap.serving.bundle import LoadScorer
from endcap.serving.config import ServingConfig
from endcap.serving.openapi import openapi
from endcap.serving.problems import ROUTES, all_rejected, on_endcap_error, on_http_error, on_other_error
from endcap.serving.service import Service, Setting
from endcap.serving.trace import trace_id_of
from endcap.stores.bundles import BundlePlace
from endcap.stores.kv import KeyValues

__all__ = ["Door", "create_app"]

Door = Callable[[str, str, str], None]
"""Lets an actor do an action to a resource, or raises AccessError."""

_ACTOR = "api"
_JSON = "application/json"
_MODEL = "endcap_model"

AnyRequest = Request[Any, Any, Any]


def create_app(  # noqa: PLR0913 - every part of the outside world comes in here, and by keyword
    *,
    bundles: Path,
    landing: Path,
    kv: KeyValues | None,
    config: ServingConfig,
    user_key: bytes,
    clock: Clock,
    new_id: Callable[[], str],
    load_scorer: LoadScorer,
    door: Door,
    organisation: str,
    project: str,
    default_currency: str | None = None,
    far_bundles: BundlePlace | None = None,
) -> Litestar:
    """Make the application of one server process.

    Args:
        bundles: Folder of the bundles, with the file `current` in it.
        landing: Folder that gets `events/` and `slates/`.
        kv: Visitors' live state; None to do without.
        config: `[serving]` of endcap.toml.
        user_key: The shop's key, 32 bytes.
        clock: The present instant.
        new_id: Makes the id of each slate.
        load_scorer: Reads a model's folder.
        door: Is asked (actor, action, resource) before anything is done.
        organisation: Who owns the shop.
        project: The shop.
        default_currency: Of amounts whose event names none, as events.default_currency.
        far_bundles: The bucket that `bundles` follows; None where the folder is all.
    """
    service = Service(
        Setting(
            bundles=bundles,
            landing=landing,
            kv=kv,
            config=config,
            user_key=user_key,
            clock=clock,
            new_id=new_id,
            load_scorer=load_scorer,
            default_currency=default_currency,
            far_bundles=far_bundles,
        )
    )
    whose = {"organisation": organisation, "project": project}
    return Litestar(
        route_handlers=[*_answering(service, door), *_telling(service, door, config, whose)],
        on_startup=[service.start],
        on_shutdown=[service.stop],
        middleware=[_timing(service)],
        exception_handlers={
            EndcapError: on_endcap_error,
            HTTPException: on_http_error,
            Exception: on_other_error,
        },
        openapi_config=None,  # ours is made from the messages, with their ranges
        logging_config=None,  # structlog is set up by whoever starts the process
        request_max_body_size=config.max_body_mb << 20,
    )


def _answering(service: Service, door: Door) -> list[Any]:
    @post("/v1/recommend", status_code=200)
    async def recommend(request: AnyRequest) -> Response[bytes]:
        door(_ACTOR, "serving.recommend", "placements")
        answered = service.recommend(await request.body())
        request.scope["state"][_MODEL] = answered.model
        return Response(answered.body, media_type=_JSON)

    @post("/v1/events", status_code=200)
    async def events(request: AnyRequest) -> Response[bytes]:
        door(_ACTOR, "serving.events", "events")
        key = request.headers.get("idempotency-key", "").strip()
        answer = await service.take(await request.body(), idempotency_key=key)
        if answer.rejected and not answer.accepted and not answer.duplicates:
            return all_rejected(answer.rejected)
        return Response(msgspec.json.encode(answer), media_type=_JSON)

    return [recommend, events]


def _telling(service: Service, door: Door, config: ServingConfig, whose: dict[str, str]) -> list[Any]:
    document = msgspec.json.encode(openapi(max_events=config.max_events))

    @get("/health/live")
    async def live() -> Response[bytes]:
        door(_ACTOR, "serving.read", "health")
        return Response(b'{"status":"live"}', media_type=_JSON)

    @get("/health/ready")
    async def ready() -> Response[bytes]:
        door(_ACTOR, "serving.read", "health")
        bundle = service.current.get()
        told = {"status": "ready", "model_version": bundle.version, "through": bundle.manifest.through, **whose}
        if away_s := service.far.away_s():
            told["bundles_away_s"] = f"{away_s:.0f}"
        return Response(msgspec.json.encode(told), media_type=_JSON)

    @get("/metrics")
    async def metrics() -> Response[bytes]:
        door(_ACTOR, "serving.read", "metrics")
        service.current.tell_ages()
        return Response(service.meters.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @get("/openapi.json")
    async def openapi_json() -> Response[bytes]:
        door(_ACTOR, "serving.read", "openapi")
        return Response(document, media_type="application/vnd.oai.openapi+json")

    return [live, ready, metrics, openapi_json]


def _timing(service: Service) -> Callable[[ASGIApp], ASGIApp]:
    """Time every request, from its arrival in this process to the head of its answer; name its trace in the log."""

    def around(app: ASGIApp) -> ASGIApp:
        async def timed(scope: Scope, receive: Receive, send: Send) -> None:
            began = time.perf_counter()

            async def sending(message: Message) -> None:
                if message["type"] == "http.response.start":
                    route = scope["path"] if scope["path"] in ROUTES else "other"
                    model = scope["state"].get(_MODEL, "")
                    labels = service.meters.requests.labels(route, model, str(message["status"]))
                    labels.observe(time.perf_counter() - began)
                await send(message)

            trace_id = trace_id_of(dict(scope["headers"]).get(b"traceparent", b""))
            with structlog.contextvars.bound_contextvars(**({"trace_id": trace_id} if trace_id else {})):
                await app(scope, receive, sending)

        return timed

    return around
