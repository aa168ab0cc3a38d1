"""`endcap refresh`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from endcap.cli.stepping import run_verbs
from endcap.flows.refresh import KEEPING_MODELS

__all__ = ["refresh"]


def refresh(
    shop: Path,
    *,
    through: str = "",
    again: tuple[str, ...] = (),
    keeps_models: Annotated[bool, Parameter(name="--keep-models", negative="")] = False,
    json_wanted: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Bring a shop up to date: ingest, sessionize, featurize, train, index, evaluate, bundle, monitor.

    Only what changed is done again; a run that was stopped goes on where it was.

    Args:
        shop: The shop's folder.
        through: Last day, YYYY-MM-DD; by default the last day that has data.
        again: Steps to do even if nothing changed, such as bundle.
        keeps_models: Fit no model anew: those that are there take in what is new in the catalogue, by its content.
        json_wanted: Print one JSON object and nothing else.
    """
    verbs = KEEPING_MODELS if keeps_models else None
    run_verbs(shop, verbs=verbs, through=through, json_wanted=json_wanted, again=again)
