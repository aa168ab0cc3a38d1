"""What the server counts and times, under the Prometheus names of the conventions.

With PROMETHEUS_MULTIPROC_DIR in the environment, each worker writes to files there and every worker tells the sum.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

__all__ = ["MULTIPROCESS_VARIABLE", "Meters"]

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

_BUCKETS_S = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)


class Meters:
    """The meters of one application; two applications in a process count apart."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        registry = self._registry
        self.requests = Histogram(
            "endcap_request_duration_seconds",
            "Time from the request's arrival in the worker to its answer",
            ["route", "model", "code"],
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self.stages = Histogram(
            "endcap_stage_duration_seconds",
            "Time of one stage of a recommendation",
            ["stage"],
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self.events = Counter("endcap_events_ingested", "Events acknowledged", registry=registry)
        self.events_rejected = Counter("endcap_events_rejected", "Events refused", ["reason"], registry=registry)
        self.events_unfelt = Counter(
            "endcap_events_unfelt",
            "Events acknowledged that could not be added to their visitors' state",
            registry=registry,
        )
        self.event_lag = Histogram(
            "endcap_event_to_recommendation_lag_seconds",
            "Time from an event's arrival to the moment from which recommendations reflect it",
            buckets=_BUCKETS_S,
            registry=registry,
        )
        self.fallbacks = Counter("endcap_fallback", "Slates made in a simpler way", ["reason"], registry=registry)
        self.slates_lost = Counter("endcap_slates_lost", "Slates served that could not be logged", registry=registry)
        self.bundle_swaps = Counter(
            "endcap_bundle_swaps", "Bundles taken into force or refused", ["outcome"], registry=registry
        )
        self.freshness = Gauge(
            "endcap_feature_freshness_seconds",
            "Time since the instant up to which the bundle knows what happened",
            ["view"],
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self.index_age = Gauge(
            "endcap_index_age_seconds",
            "Time since the bundle in force was made",
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self.index_recall = Gauge(
            "endcap_index_recall_ratio",
            "Share of the exact best items that the index found when it was built",
            ["model"],
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        self.bundles_away = Gauge(
            "endcap_bundles_away_seconds",
            "Time since the bucket of the bundles could last be looked at, 0 while it can",
            registry=registry,
            multiprocess_mode="mostrecent",
        )
        # A labelled child is looked up once; the look-up costs more than the counting.
        self._stage_of = {stage: self.stages.labels(stage) for stage in ("history", "sources", "filters", "scorer")}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._stage_of[name].observe(time.perf_counter() - began)

    def text(self) -> bytes:
        """Return all meters in Prometheus' text format, of all workers where there are several."""
        if MULTIPROCESS_VARIABLE not in os.environ:
            return bytes(generate_latest(self._registry))
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody, path=str(Path(os.environ[MULTIPROCESS_VARIABLE])))  # type: ignore[no-untyped-call]
        return bytes(generate_latest(everybody))
