"""`endcap evaluate`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from endcap.cli.stepping import run_verbs
from endcap.flows.shop import find_shop

__all__ = ["evaluate"]


def evaluate(shop: Path, *, through: str = "", json_wanted: Annotated[bool, Parameter(name="--json")] = False) -> None:
    """Measure every model on the last days, fitted on the days before them, and print the table.

    Args:
        shop: The shop's folder.
        through: Last day, YYYY-MM-DD; by default the last day that has data.
        json_wanted: Print the evaluation as one JSON object and nothing else.
    """
    run_verbs(shop, verbs=("evaluate", "track"), through=through, json_wanted=json_wanted, is_silent=True)
    report = find_shop(shop).reports / ("evaluation.json" if json_wanted else "evaluation.txt")
    if report.exists():
        print(report.read_text(encoding="utf-8").rstrip("\n"))
    else:
        print(f"nothing to evaluate yet: run `endcap refresh {shop}`")
