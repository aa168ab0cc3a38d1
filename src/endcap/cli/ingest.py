"""`endcap ingest`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from endcap.cli.stepping import run_verbs

__all__ = ["ingest"]


def ingest(shop: Path, *, through: str = "", json_wanted: Annotated[bool, Parameter(name="--json")] = False) -> None:
    """Read the shop's export and what the server logged into the tables events, items, slates and quarantine.

    Args:
        shop: The shop's folder.
        through: Last day, YYYY-MM-DD; by default the last day that has data.
        json_wanted: Print one JSON object and nothing else.
    """
    run_verbs(shop, verbs=("ingest",), through=through, json_wanted=json_wanted)
