"""The track step: each fit that the ledger knows is mirrored to a tracking server, with what was measured of it.

A partition is one model of one attempt at `train`. Told is what stands in the ledger and nothing else, so a fit whose
mirror was missed is told later as it would have been then. A server that is away fails nothing: what it was not told
stays pending.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from endcap.core.errors import Code, StoreError
from endcap.core.ids import digest_of
from endcap.flows.flow import Flow, Outcome
from endcap.stores.tracking import Measured, TrackedRun

__all__ = ["is_tracked", "plan_track", "run_track"]

_ATTEMPTS = 30
"""The latest attempts that are mirrored: a month of daily refreshes that a server may be away."""


def is_tracked(flow: Flow) -> bool:
    """Whether endcap.toml names a tracking server."""
    return bool(flow.shop.config.tracking.mlflow)


def plan_track(flow: Flow) -> dict[str, dict[str, str]]:
    """A partition for each model of the latest attempts at fitting some."""
    return {name: {"content": run.content()} for name, run in _runs(flow).items()}


def run_track(flow: Flow, pending: list[str]) -> Outcome:
    """Mirror the pending runs, as far as the server takes them."""
    assert flow.make_tracking is not None, "the step is wanted where a server is named"
    tracking, runs = flow.make_tracking(), _runs(flow)
    left_out: dict[str, StoreError] = {}
    away: StoreError | None = None
    for name in pending:
        try:
            if away is None:
                tracking.put(runs[name])
            else:  # not asked for each: a server that hangs costs one wait
                left_out[name] = away
        except StoreError as error:
            left_out[name] = error
            away = error if error.code == Code.TRACKING_UNREACHABLE else None
    return Outcome(note=_note(tracking.where, len(pending), left_out), left_out=dict(left_out))


def _note(where: str, num: int, left_out: Mapping[str, StoreError]) -> str:
    told = f"{num - len(left_out)} of {num} fits mirrored to {where}"
    if not left_out:
        return told
    first = next(iter(left_out.values()))
    return f"{told}; the next run tries again: {first.what} [{first.code}]"


def _runs(flow: Flow) -> dict[str, TrackedRun]:
    """Return the fits by partition, `<run id>/<model>`; of two attempts of one run at a model the later one."""
    measured = {}
    for attempt in reversed(flow.ledger.done_attempts("evaluate", limit=_ATTEMPTS)):
        if "metrics" in attempt["detail"]:
            measured[_made_of(attempt)] = attempt["detail"]
    runs = {}
    for attempt in reversed(flow.ledger.done_attempts("train", limit=_ATTEMPTS)):
        for name, fitted in attempt["detail"].get("models", {}).items():
            runs[f"{attempt['run_id']}/{name}"] = _run(attempt, name, fitted, measured.get(_made_of(attempt), {}))
    return runs


def _made_of(attempt: Mapping[str, Any]) -> str:
    """Name all that fits depend on: an evaluation with the same name measured these very recipes on this data."""
    detail = attempt["detail"]
    return digest_of([attempt["inputs"], detail["made_from"]["settings"], attempt["code_digest"], detail["seed"]])


def _run(attempt: Mapping[str, Any], name: str, fitted: Mapping[str, Any], found: Mapping[str, Any]) -> TrackedRun:
    shop, through = f"{attempt['organisation']}/{attempt['project']}", attempt["inputs"]["through"]
    tags = {
        "shop": shop,
        "run_id": attempt["run_id"],
        "model": name,
        "model_digest": fitted["version"],
        "inputs_digest": digest_of(attempt["inputs"])[:16],
        "through": through,
        "code_version": attempt["code_version"],
        "code_digest": attempt["code_digest"][:16],
        "config_digest": attempt["config_digest"],
        **({"test_from": found["split_day"]} if found else {}),
    }
    params = {
        "kind": fitted["kind"],
        "seed": attempt["detail"]["seed"],
        **dict(_flat("model", fitted["settings"])),
        **dict(_flat("training", fitted["training"])),
    }
    return TrackedRun(
        key=digest_of([shop, attempt["run_id"], name])[:32],
        name=f"{name} {through}",
        started_at_us=attempt["started_at_us"],
        ended_at_us=attempt["ended_at_us"],
        params={key: value if isinstance(value, str) else str(value) for key, value in params.items()},
        tags={f"endcap.{key}": value for key, value in tags.items()},
        measured=(*_curve(attempt["detail"].get("training", {}).get(name, [])),
                  *_tested(found.get("metrics", {}).get(name, {}))),
    )  # fmt: skip


def _flat(prefix: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give settings with their paths."""
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}.{name}", value)
        else:
            yield f"{prefix}.{name}", value


def _curve(curve: list[dict[str, Any]]) -> Iterator[Measured]:
    for each in curve:
        for name, told in (("loss", "loss"), ("validation", "validation_loss"), ("examples_per_s", "examples_per_s")):
            if each[name] is not None:
                yield Measured(f"training/{told}", each["done"], float(each[name]))


def _tested(metrics: Mapping[str, Any]) -> Iterator[Measured]:
    """Give what was measured; an undefined value is no number."""
    for name, value in metrics.items():
        if isinstance(value, int | float):
            yield Measured(f"test/{name}", 0, float(value))
