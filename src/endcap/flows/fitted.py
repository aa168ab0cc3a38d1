"""Fitted models for the catalogue of now, which may have changed since they were fitted.

Shapes: N items.
"""

from pathlib import Path

import msgspec
import numpy as np

from endcap.core.sequences import Catalogue
from endcap.flows.neighbours import ITEMS_FILE
from endcap.models.other_items import OtherItems
from endcap.models.protocol import Scorer, TakesItems
from endcap.models.scorers import load_scorer

__all__ = ["is_of", "open_for", "save_for"]


def is_of(folder: Path, catalogue: Catalogue) -> bool:
    """Whether a model was fitted on just these items; true of one that does not tell, from an earlier version."""
    return _items(folder) in (None, catalogue.item_ids)


def open_for(folder: Path, catalogue: Catalogue) -> Scorer:
    """Open a fitted model for the N items of a catalogue.

    Items that it does not know it scores by their content, if it can; if not, as its last ones.

    Args:
        folder: `models/<name>/<version>`.
        catalogue: The items of now.

    Raises:
        ModelError: The model is damaged, or nobody knows its kind.
    """
    scorer = load_scorer(folder)
    if is_of(folder, catalogue):
        return scorer
    number = {item: at for at, item in enumerate(_items(folder) or ())}
    numbers_N = np.array([number.get(item, -1) for item in catalogue.item_ids], np.int32)
    return scorer.with_items(catalogue, numbers_N) if isinstance(scorer, TakesItems) else OtherItems(scorer, numbers_N)


def save_for(scorer: Scorer, folder: Path, catalogue: Catalogue) -> None:
    """Write a model into an existing empty folder, with the ids of the items whose numbers it uses."""
    scorer.save(folder)
    # A model outlives the catalogue whose rows number its items.
    (folder / ITEMS_FILE).write_bytes(msgspec.json.encode(catalogue.item_ids))


def _items(folder: Path) -> tuple[str, ...] | None:
    path = folder / ITEMS_FILE
    return msgspec.json.decode(path.read_bytes(), type=tuple[str, ...]) if path.is_file() else None
