"""The pipeline: sources propose, filters decide what may be shown, a model orders, the selector takes the first.

Whatever fails on the way, an answer comes out: the simpler ones are by order of proposal, and by popularity.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from endcap.core.slate import Reason, SlateItem
from endcap.serving.asking import Asking
from endcap.serving.bundle import POPULAR
from endcap.serving.config import PlacementConfig
from endcap.serving.filters import eligible
from endcap.serving.meters import Meters
from endcap.serving.reasons import reasons_of
from endcap.serving.sources import Candidates, propose

__all__ = ["Answer", "answer"]

_log = structlog.get_logger()

_GROWTH = 5


@dataclass(frozen=True)
class Answer:
    """The outcome of the pipeline.

    Args:
        items: At most n, in order.
        fallbacks: Why it is simpler than it should be; empty when all went well.
        model: The model that ordered it; "" where none could.
        num_candidates: Items looked at, by source.
        removed: Item id -> why it was taken out.
    """

    items: tuple[SlateItem, ...]
    fallbacks: tuple[str, ...]
    model: str
    num_candidates: dict[str, int]
    removed: dict[str, str]


def answer(asking: Asking, placement: PlacementConfig, meters: Meters) -> Answer:
    """Answer a question by the rules of a placement.

    Args:
        asking: The question.
        placement: Sources, model and filters.
        meters: Where the stages are timed.
    """
    kept, removed, failed = _candidates(asking, placement, meters)
    fallbacks = ["source_failed"] if failed else []
    model = _model(asking, placement)
    if model != (placement.model or asking.bundle.manifest.default_model):
        fallbacks.append("model_missing")
    # Of a visitor of whom nothing is known every model has the same to say: what is popular.
    ordered_by = model if asking.history or POPULAR not in asking.bundle.models else POPULAR
    with meters.stage("scorer"):
        try:
            scores = asking.scores(model)[kept.items]
        except Exception as error:  # noqa: BLE001 - the order of proposal is a fair answer
            _log.warning("model.failed", model=model, error=f"{type(error).__name__}: {error}")
            fallbacks.append("model_failed")
            ordered_by = ""
            scores = -np.arange(len(kept), dtype=np.float32)
        chosen = _select(kept, scores, asking.n)
        speakers = list(dict.fromkeys([model, *placement.sources]))
        items, is_explained = _items(asking, kept, scores, chosen, speakers)
    if not is_explained:
        fallbacks.append("reasons_failed")
    counts = np.bincount(kept.sources, minlength=len(kept.names)).tolist()
    return Answer(
        items=items,
        fallbacks=tuple(fallbacks),
        model=ordered_by,
        num_candidates=dict(zip(kept.names, counts, strict=True)),
        removed={asking.bundle.items.ids[item]: reason for item, reason in removed.items()},
    )


def _candidates(
    asking: Asking, placement: PlacementConfig, meters: Meters
) -> tuple[Candidates, dict[int, str], list[str]]:
    """Ask the sources, for more and more items while too few of them are eligible."""
    count = max(placement.num_candidates, asking.n)
    while True:
        with meters.stage("sources"):
            candidates, failed = propose(asking, placement.sources, count)
        with meters.stage("filters"):
            kept, removed = eligible(asking, candidates)
        if len(kept) >= asking.n or count >= len(asking.bundle.items):
            return kept, removed, failed
        count *= _GROWTH


def _model(asking: Asking, placement: PlacementConfig) -> str:
    """Return the model that orders: the placement's, else the bundle's default, else popularity."""
    for name in (placement.model, asking.bundle.manifest.default_model):
        if name in asking.bundle.models:
            return name
    return POPULAR


def _select(candidates: Candidates, scores: NDArray[np.float32], n: int) -> NDArray[np.int64]:
    """Return the places of the n candidates with the highest scores, equal ones by item number."""
    return np.lexsort((candidates.items, -scores))[:n]


def _items(
    asking: Asking,
    candidates: Candidates,
    scores: NDArray[np.float32],
    chosen: NDArray[np.int64],
    speakers: Sequence[str],
) -> tuple[tuple[SlateItem, ...], bool]:
    """Tell each chosen item in full, and whether all reasons could be found."""
    is_explained, found = True, []
    for place, at in enumerate(chosen.tolist(), start=1):
        item, source = int(candidates.items[at]), candidates.source(at)
        try:
            reasons = reasons_of(asking, item, source, speakers)
        except Exception as error:  # noqa: BLE001 - a slate without its reasons is better than none
            _log.warning("reasons.failed", error=f"{type(error).__name__}: {error}")
            is_explained, reasons = False, (Reason(POPULAR),)
        found.append(
            SlateItem(
                item_id=asking.bundle.items.ids[item],
                place=place,
                score=float(scores[at]),
                source=source,
                reasons=reasons,
                **asking.bundle.items.told(item),
            )
        )
    return tuple(found), is_explained
