"""`endcap sessionize`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from endcap.cli.stepping import run_verbs

__all__ = ["sessionize"]


def sessionize(
    shop: Path, *, through: str = "", json_wanted: Annotated[bool, Parameter(name="--json")] = False
) -> None:
    """Cut events into sessions, and lists shown into exposures with what became of them.

    Args:
        shop: The shop's folder.
        through: Last day, YYYY-MM-DD; by default the last day that has data.
        json_wanted: Print one JSON object and nothing else.
    """
    run_verbs(shop, verbs=("sessionize",), through=through, json_wanted=json_wanted)
