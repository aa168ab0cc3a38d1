"""`endcap train`."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from endcap.cli.progress import lines_told
from endcap.cli.stepping import run_verbs
from endcap.core.errors import Code, UsageError
from endcap.flows.search import search_shop

__all__ = ["train"]

_BUDGET_S = 600.0


def train(
    shop: Path,
    *,
    through: str = "",
    search: str = "",
    budget: float | None = None,
    json_wanted: Annotated[bool, Parameter(name="--json")] = False,
) -> None:
    """Fit the models of endcap.toml on everything through a day; or search better settings for one of them.

    `endcap train my-shop --search two_tower --budget 600` tries settings on days before the test days, and prints the
    lines for endcap.toml where one is clearly better. It changes nothing.

    Args:
        shop: The shop's folder.
        through: Last day, YYYY-MM-DD; by default the last day that has data.
        search: Name of the model whose settings are searched, in the place of fitting.
        budget: Seconds of the search; 600 by default. The settings as they are and one more try are always done.
        json_wanted: Print one JSON object and nothing else.
    """
    if not search and budget is not None:
        raise UsageError(
            "a budget is for a search", where="--budget", fix="name a model: --search two_tower", code=Code.USAGE
        )
    if search and through:
        raise UsageError(
            "a search takes all days before the test", where="--through", fix="leave --through away", code=Code.USAGE
        )
    if budget is not None and budget <= 0:
        raise UsageError(
            f"a budget of {budget:g} s is none", where="--budget", fix="name seconds above 0", code=Code.USAGE
        )
    if not search:
        run_verbs(shop, verbs=("train", "track"), through=through, json_wanted=json_wanted)
        return
    if json_wanted:
        print(json.dumps(search_shop(shop, search, budget_s=budget or _BUDGET_S).to_plain()))
        return
    with lines_told() as tell:
        found = search_shop(shop, search, budget_s=budget or _BUDGET_S, told=tell)
    print(found.text())
