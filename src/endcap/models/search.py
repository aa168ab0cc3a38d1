"""Search for better settings of a recipe, on a validation part, within a budget of seconds.

By Optuna's tree-structured Parzen estimator (Bergstra et al. 2011), from the settings as they are. Shapes: B cases.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from endcap.core.errors import Code, ModelError, UsageError
from endcap.core.sequences import Catalogue
from endcap.metrics.intervals import paired_interval
from endcap.metrics.ranking import ndcg_at
from endcap.models.evaluate import answer
from endcap.models.fitting import fitted
from endcap.models.protocols import Split
from endcap.models.searched import Among, Between, Searched, searched_of
from endcap.models.training.settings import TrainingRun

__all__ = ["Search", "Trial", "search"]

_K = 10
_RESAMPLES = 200
_DIGITS = 6


@dataclass(frozen=True)
class Trial:
    """One try.

    Args:
        settings: What was tried, by name; of the first try, as the recipe has them.
        ndcg: Mean NDCG@10 over the cases; None where it could not be fitted.
        seconds: Of fitting and asking.
        why: Why it could not be fitted; "" else.
    """

    settings: Mapping[str, Any]
    ndcg: float | None
    seconds: float
    why: str = ""


@dataclass(frozen=True)
class Search:
    """What a search found.

    Args:
        trials: In the order in which they were tried; the first has the settings as they were.
        best: Place of the best of them, the earliest of equals.
        gain: NDCG@10 of the best one less that of the first.
        interval: Its 95 % interval over users, on the cases on which the best was chosen: it flatters.
    """

    trials: tuple[Trial, ...]
    best: int
    gain: float
    interval: tuple[float, float]

    @property
    def changes(self) -> dict[str, Any]:
        """What differs in the best try, by name."""
        first, best = self.trials[0].settings, self.trials[self.best].settings
        return {name: value for name, value in best.items() if value != first[name]}


_NO_FAULT_OF_SETTINGS = (Code.RANK_LOST, Code.CONFIG_INVALID)


def search(  # noqa: PLR0913 - a budget, a clock and a listener beside what is searched
    recipe: Any,
    split: Split,
    catalogue: Catalogue,
    *,
    seed: int,
    budget_s: float,
    clock: Callable[[], float],
    told: Callable[[int, Trial], None] = lambda _number, _trial: None,
    run: TrainingRun | None = None,
) -> Search:
    """Try settings until the next try would not fit into the budget, as long as the longest one took.

    Args:
        recipe: A recipe with `searched`.
        split: What is learned, and the cases of the validation part.
        catalogue: N items.
        seed: Of fitting, of the search and of the bootstrap.
        budget_s: Seconds. The settings as they are and one more try are always done.
        clock: Seconds that have passed.
        told: Gets each try with its number from 0.
        run: How recipes are trained that are trained by steps; None as they are by default.

    Raises:
        UsageError: The recipe has nothing to search, or Optuna is not installed.
        ModelError: It cannot be fitted with the settings as they are; or what was no fault of settings, in any try.
    """
    space = _space_of(recipe)
    study = _study(seed)
    begun = clock()
    trials: list[Trial] = []
    found: list[NDArray[np.float64]] = []
    while len(trials) < 2 or clock() - begun + max(trial.seconds for trial in trials) <= budget_s:
        before = clock()
        asked = study.ask()
        settings = _first(recipe, space) if not trials else _drawn(asked, space)
        values_B, why = _tried(recipe, settings, split, catalogue, seed, run or TrainingRun())
        if values_B is None and not trials:
            raise ModelError(f"{recipe.kind} cannot be fitted as it is: {why}", fix="mend its settings first",
                             code=Code.MODEL_NOT_FITTED)  # fmt: skip
        mean = None if values_B is None else round(float(np.nanmean(values_B)), _DIGITS)
        trials.append(Trial(settings, mean, clock() - before, why))
        found.append(np.zeros(0) if values_B is None else values_B)
        _tell(study, asked, space, trials[-1], is_first=len(trials) == 1)
        told(len(trials) - 1, trials[-1])
    best = max(range(len(trials)), key=lambda at: (trials[at].ndcg or -1.0, -at))
    means, ends = paired_interval(found[best][None], found[0][None], split.cases.users, seed=seed, resamples=_RESAMPLES)
    low, high = ends[0].tolist()
    return Search(tuple(trials), best, round(float(means[0]), _DIGITS), (round(low, _DIGITS), round(high, _DIGITS)))


def _space_of(recipe: Any) -> Searched:
    space = searched_of(recipe)
    if not space:
        raise UsageError(
            f"{recipe.kind} has no settings that are worth a search",
            fix="search one that is trained, such as two_tower or sequence",
            code=Code.USAGE,
        )
    return space


def _study(seed: int) -> Any:
    try:
        import optuna  # noqa: PLC0415 - only a search needs it
    except ImportError as error:
        raise UsageError(
            "a search needs Optuna, which is not installed", fix="pip install 'endcap[search]'", code=Code.USAGE
        ) from error
    logging.getLogger("optuna").setLevel(logging.WARNING)
    return optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, multivariate=False))


def _first(recipe: BaseModel, space: Searched) -> dict[str, Any]:
    return {name: getattr(recipe, name) for name in space}


def _drawn(asked: Any, space: Searched) -> dict[str, Any]:
    found = {}
    for name, range_ in space.items():
        if isinstance(range_, Among):
            found[name] = asked.suggest_categorical(name, range_.values)
        elif range_.whole:
            found[name] = asked.suggest_int(name, int(range_.low), int(range_.high), log=range_.by_factor)
        else:
            # Four digits: what is found is typed into a file by people.
            found[name] = float(f"{asked.suggest_float(name, range_.low, range_.high, log=range_.by_factor):.4g}")
    return found


def _tried(
    recipe: Any,
    settings: Mapping[str, Any],
    split: Split,
    catalogue: Catalogue,
    seed: int,
    run: TrainingRun,
) -> tuple[NDArray[np.float64] | None, str]:
    """Fit with some settings; return NDCG@10 of each case, or why it could not be fitted."""
    try:
        changed = type(recipe).model_validate({**recipe.model_dump(), **settings})
        scorer = fitted(changed, split.train, catalogue, seed=seed, run=run)
    except (ModelError, ValueError) as error:
        if isinstance(error, ModelError) and error.code in _NO_FAULT_OF_SETTINGS:
            raise
        return None, str(error).splitlines()[0]
    return ndcg_at(answer(scorer, split.cases, len(catalogue), count=_K).ranks, _K), ""


def _tell(study: Any, asked: Any, space: Searched, trial: Trial, *, is_first: bool) -> None:
    """Let the study know how a try went; the first one was not drawn by it, and counts where it lies in the space."""
    import optuna  # noqa: PLC0415

    if not is_first:
        failed = {"state": optuna.trial.TrialState.FAIL} if trial.ndcg is None else {"values": trial.ndcg}
        study.tell(asked, **failed)
        return
    study.tell(asked, state=optuna.trial.TrialState.FAIL)
    if all(_lies_in(trial.settings[name], range_) for name, range_ in space.items()):
        known = {name: _distribution(range_) for name, range_ in space.items()}
        study.add_trial(optuna.trial.create_trial(params=dict(trial.settings), distributions=known, value=trial.ndcg))


def _lies_in(value: Any, range_: Between | Among) -> bool:
    return value in range_.values if isinstance(range_, Among) else range_.low <= value <= range_.high


def _distribution(range_: Between | Among) -> Any:
    from optuna import distributions  # noqa: PLC0415

    if isinstance(range_, Among):
        return distributions.CategoricalDistribution(range_.values)
    if range_.whole:
        return distributions.IntDistribution(int(range_.low), int(range_.high), log=range_.by_factor)
    return distributions.FloatDistribution(range_.low, range_.high, log=range_.by_factor)
