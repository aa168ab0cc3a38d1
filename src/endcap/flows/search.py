"""Search for better settings of one model of a shop; the test days are not looked at.

What is learned and asked lies before the first test day of `endcap evaluate`, split once more by the same rule. Nothing
is changed: endcap.toml is the user's.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from endcap.core.clock import Clock, day_start_us, system_clock
from endcap.core.errors import Code, DataError, UsageError, near
from endcap.core.tables import SEQUENCES
from endcap.flows.flow import Flow
from endcap.flows.model_data import read_model_data
from endcap.flows.shop import find_shop, write_atomically
from endcap.flows.wiring.batch import open_flow
from endcap.governance.access import Action, require
from endcap.models.evaluate import split_by
from endcap.models.protocols import Split, keep
from endcap.models.search import Search, Trial, search
from endcap.models.searched import searched_of
from endcap.models.training.settings import TrainingRun

__all__ = ["ShopSearch", "search_shop"]


@dataclass(frozen=True)
class ShopSearch:
    """What a search in a shop found.

    Args:
        model: Name of the model.
        validation_day: First day of the validation part.
        test_day: First day of the test, from which on nothing was looked at.
        cases: How many cases each try was asked.
        found: The tries.
    """

    model: str
    validation_day: str
    test_day: str
    cases: int
    found: Search

    def to_plain(self) -> dict[str, Any]:
        """Return what JSON can hold."""
        found = self.found
        return {
            "model": self.model, "validation_day": self.validation_day, "test_day": self.test_day, "cases": self.cases,
            "trials": [asdict(trial) for trial in found.trials], "best": found.best, "changes": found.changes,
            "gain": found.gain, "ci": list(found.interval),
        }  # fmt: skip

    def text(self) -> str:
        """Return what was tried, the best first, and the lines for endcap.toml where one is clearly better."""
        trials = self.found.trials
        order = sorted(range(len(trials)), key=lambda at: (-(trials[at].ndcg or -1.0), at))
        head = (
            f"{self.model}: {len(trials)} tries on {self.cases:,} cases of {self.validation_day} to the day before "
            f"{self.test_day}, NDCG@10; titles and prices are those of the last day"
        )
        return "\n".join([head, "", *(_line(at, trials[at]) for at in order), "", *self._verdict()])

    def _verdict(self) -> list[str]:
        gain, (low, high) = self.found.gain, self.found.interval
        told = f"{gain:+.4f} [{low:+.4f}, {high:+.4f}]"
        if self.found.best == 0 or low <= 0:
            return [f"keep the settings as they are: nothing is clearly better ({told})"]
        return [
            f"better by {told} on the cases on which it was chosen, which flatters;",
            "put these lines into endcap.toml and let `endcap evaluate` judge on the test days:",
            "",
            f"[models.{self.model}]",
            *(f"{name} = {_toml(value)}" for name, value in self.found.changes.items()),
        ]


def search_shop(
    shop: Path,
    model: str,
    *,
    budget_s: float,
    told: Callable[[str], None] = lambda _line: None,
    clock: Clock = system_clock,
    seconds: Callable[[], float] = perf_counter,
) -> ShopSearch:
    """Search settings of a model, and keep what was found in `reports/search-<model>.json` and `.txt`.

    Args:
        shop: The shop's folder.
        model: Name of a model that endcap.toml trains.
        budget_s: Seconds; at least the settings as they are and one more try are done.
        told: Gets a line for each try.
        clock: The clock, for the audit log.
        seconds: Seconds that pass, for the budget.

    Raises:
        UsageError: The model is not trained here, or has nothing to search, or Optuna is not installed.
        DataError: There are too few days with sequences before the test.
        AccessError: The user of the operating system may not.
    """
    opened = find_shop(shop)
    with open_flow(opened, through="", progress=lambda _report: None, clock=clock) as flow:
        require(flow.actor, Action.MODEL_TRAIN, opened.resource(model), audit=flow.ledger.audit, at_us=flow.now_us)
        recipe = _recipe(flow, model)
        days = _days(flow)
        flow.through = flow.days(SEQUENCES)[-1]
        data = read_model_data(flow)
        cut = day_start_us(days[1])
        earlier = keep(data.sequences, data.sequences.at_us < cut)
        split = split_by(opened.config.models.evaluation.protocol, earlier, day_start_us(days[0]))
        _check(split, days)
        found = search(
            recipe, split, data.catalogue, seed=flow.seed, budget_s=budget_s, clock=seconds,
            told=lambda number, trial: told(_line(number, trial)),
            run=TrainingRun(opened.config.models.training, scratch=opened.scratch),
        )  # fmt: skip
        result = ShopSearch(model, days[0], days[1], len(split.cases), found)
        place = opened.reports / f"search-{model}"
        write_atomically(place.with_suffix(".json"), msgspec.json.encode(result.to_plain(), order="deterministic"))
        write_atomically(place.with_suffix(".txt"), (result.text() + "\n").encode())
        return result


def _recipe(flow: Flow, model: str) -> Any:
    recipes = flow.shop.config.models.recipes()
    known = [name for name, recipe in recipes.items() if searched_of(recipe)]
    if model not in recipes:
        raise UsageError(
            f"endcap.toml does not train '{model}'; {near(model, list(recipes))}",
            where="--search",
            fix=f"search one of {', '.join(known) or 'those that it trains'}, or add it to models.train",
            code=Code.USAGE,
        )
    return recipes[model]


def _days(flow: Flow) -> tuple[str, str]:
    """Return the first day of the validation part and of the test."""
    settings = flow.shop.config.models.evaluation
    parts = flow.ledger.parts(SEQUENCES.name)
    num = {day: parts[day].rows for day in flow.days(SEQUENCES) if parts[day].rows}
    test_day = settings.first_test_day(num) if num else ""
    before = {day: count for day, count in num.items() if day < test_day}
    if len(before) < 2:
        raise DataError(
            f"{len(before)} days with sequences lie before the first test day {test_day or '(none)'}; a search needs 2",
            where="table sequences",
            fix="ingest more days, or set models.evaluation.split_day to a later day",
            code=Code.SPLIT_EMPTY,
        )
    return settings.model_copy(update={"split_day": ""}).first_test_day(before), test_day


def _check(split: Split, days: tuple[str, str]) -> None:
    if not len(split.cases) or not len(split.train):
        raise DataError(
            f"{len(split.train):,} sequences can be learned from before {days[0]}, and {len(split.cases):,} cases are "
            f"left from then to the day before {days[1]}",
            fix="ingest more days, or set models.evaluation.test_days lower",
            code=Code.SPLIT_EMPTY,
        )


def _line(number: int, trial: Trial) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in trial.settings.items())
    told = f"{trial.ndcg:.4f}" if trial.ndcg is not None else f"cannot be fitted: {trial.why}"
    return f"{number:>3}  {told}  {trial.seconds:6.1f} s  {settings}{'  (as they are)' if number == 0 else ''}"


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
