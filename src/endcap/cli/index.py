"""`endcap index`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from endcap.cli.stepping import run_verbs

__all__ = ["index"]


def index(shop: Path, *, through: str = "", json_wanted: Annotated[bool, Parameter(name="--json")] = False) -> None:
    """Build the search index of each vector model, with its recall report.

    Args:
        shop: The shop's folder.
        through: Last day, YYYY-MM-DD; by default the last day that has data.
        json_wanted: Print one JSON object and nothing else.
    """
    run_verbs(shop, verbs=("index",), through=through, json_wanted=json_wanted)
