"""How near models come to the best possible ranking in a world whose truth is known: `session_next` over views.

`python -m benchmarks.oracle [--quick] [--out FILE]`: every model in the worlds `small` (2,000 items) and `retailrocket`
(287,000, as large and as sparse as the public log of that name: fits take 70 minutes of one core). Quick: fewer models
in a quarter of `small`. `*_share`: NDCG@10 over that of the Bayes-optimal ranking; `oracle_share_*` is the best
model's. The exit code is 1 where the best on `small` is below .8, or the best that can be is below a model.

The Bayes-optimal reference knows the laws of the world and the visitor's history, the clairvoyant his taste as well.
Shapes: B cases, N items, K tastes.
"""

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import arguments, report
from endcap.core.sequences import Catalogue, Sequences
from endcap.metrics.intervals import paired_interval
from endcap.metrics.ranking import hr_at, ndcg_at, ranks_of
from endcap.models.evaluate import answer
from endcap.models.protocols import Split, session_next
from endcap.models.registry import algorithm
from endcap.models.transitions import collapsed
from endcap.simulation.policies import Popular, place_law
from endcap.simulation.references import SeenDay, Truth, Views, certain, next_view_scores
from endcap.simulation.settings import World, make_world
from endcap.simulation.shop import simulate

__all__ = ["oracle_figures"]

_MODELS = ("popular", "item_markov", "als", "two_tower", "sequence", "blend")
_QUICK = ("popular", "item_markov", "two_tower", "blend")
_BAR = 0.8
"""Of the best model's share on `small`."""
_TEST_DAYS = 7
_SEED, _RESAMPLES = 17, 200
_CELLS = 2**22
"""Cases x items that a reference scores at once: 32 MiB."""
_MOST_CELLS = 2**31
"""Cases x items that are scored in all: minutes."""

Floats = NDArray[np.float64]


def main() -> int:
    """Measure and report; the exit code is 1 when a bar is missed."""
    options = arguments(__doc__)
    if options.quick:
        figures = oracle_figures(make_world("small", scale=0.25), _QUICK)
    else:
        figures = oracle_figures(make_world("small")) | oracle_figures(make_world("retailrocket"))
    report("oracle", figures, options)
    missed = [name for name, value in figures.items() if name.endswith("_bayes_less_best_ndcg10_low") and value < 0]
    if figures["oracle_share_small"] < _BAR:
        missed.append("oracle_share_small")
    print("missed:", ", ".join(missed) or "nothing", file=sys.stderr)
    return 1 if missed else 0


def oracle_figures(world: World, models: tuple[str, ...] = _MODELS) -> dict[str, Any]:
    """Simulate a world, fit the models on all but its last week, and rank the next view of that week.

    Args:
        world: What is simulated.
        models: Names of algorithms.

    Returns:
        HR@20 and NDCG@10 of models and references, `oracle_share_<world>`, and the lower end of the 95 % interval of
        the Bayes-optimal NDCG less that of the best model: not below 0 if the reference is what it says. Of more
        cases than _MOST_CELLS allows every n-th is asked.
    """
    shop = world.name
    with TemporaryDirectory() as folder:
        truth = Truth(simulate(world, Path(folder) / "world", Popular()).out)
        views = truth.views()
        split, current = _asked(world, views)
        part = -(-len(split.cases) * world.items // _MOST_CELLS)
        split, current = (
            replace(split, cases=split.cases.every(part)),
            current.rows(np.arange(len(split.cases))[::part]),
        )
        ranks = _reference_ranks(truth, split, current)
    catalogue = Catalogue(
        tuple(truth.goods.item_ids.to_pylist()),
        categories=tuple(truth.goods.categories[each] for each in truth.goods.category.tolist()),
    )
    figures: dict[str, Any] = {f"{shop}_items": world.items, f"{shop}_cases": len(split.cases)}
    for name in models:
        began = process_time()
        scorer = algorithm(name).fit(split.train, catalogue, seed=_SEED)
        figures[f"{shop}_{name}_fit_cpu_s"] = round(process_time() - began, 1)
        ranks[name] = answer(scorer, split.cases, world.items, count=20).ranks
        share = ndcg_at(ranks[name], 10).mean() / ndcg_at(ranks["bayes"], 10).mean()
        print(shop, name, figures[f"{shop}_{name}_fit_cpu_s"], round(float(share), 4), file=sys.stderr, flush=True)
    ndcg = {name: ndcg_at(each, 10) for name, each in ranks.items()}
    best = max(models, key=lambda name: float(ndcg[name].mean()))
    _, ends = paired_interval(
        ndcg["bayes"][None], ndcg[best][None], split.cases.users, seed=_SEED, resamples=_RESAMPLES
    )
    for name, each in ranks.items():
        figures[f"{shop}_{name}_hr20"] = round(float(hr_at(each, 20).mean()), 4)
        figures[f"{shop}_{name}_ndcg10"] = round(float(ndcg[name].mean()), 4)
        figures[f"{shop}_{name}_share"] = round(float(ndcg[name].mean() / ndcg["bayes"].mean()), 4)
    figures[f"oracle_share_{shop}"] = figures[f"{shop}_{best}_share"]
    figures[f"{shop}_bayes_less_best_ndcg10_low"] = round(float(ends[0, 0]), 4)
    print(figures, file=sys.stderr, flush=True)
    return figures


def _asked(world: World, views: Views) -> tuple[Split, Views]:
    """Return the cases, and the view that each case stands at."""
    starts = np.append(np.flatnonzero(np.diff(views.session, prepend=-1)), len(views.item))
    sequences = Sequences(starts, views.item.astype(np.int32), views.at_us, views.visitor[starts[:-1]])
    first = views.at_us[views.day == max(world.days - _TEST_DAYS, 1)].min()
    split = session_next(sequences, split_us=int(first))
    stays = np.flatnonzero(collapsed(sequences.items, sequences.sequence_of()))
    return split, views.rows(stays[split.cases.ends - 1])


def _reference_ranks(truth: Truth, split: Split, current: Views) -> dict[str, NDArray[np.int64]]:
    """Return the ranks of the targets under both references; a day's lists follow from its morning."""
    world = truth.world
    ranks = {name: np.zeros(len(split.cases), np.int64) for name in ("bayes", "clairvoyant")}
    step = max(1, _CELLS // world.items)
    for day in truth.days():
        those = np.flatnonzero(current.day == day.number)
        beliefs = {"bayes": current.belief_EK[those], "clairvoyant": certain(current.taste[those], world.tastes)}
        attention = _attention(world, day) if len(those) else np.zeros(0)
        for name, belief in beliefs.items():
            for start in range(0, len(those), step):
                some = those[start : start + step]
                scores = next_view_scores(world, day.laws, attention, belief[start : start + step], current.item[some])
                ranks[name][some] = ranks_of(scores.astype(np.float32), split.cases.targets[some])
    return ranks


def _attention(world: World, day: SeenDay) -> Floats:
    """Return the attention that a day's lists give each of N items."""
    offered = np.flatnonzero(day.offered)
    places = min(world.places, len(offered))
    law_LN = place_law(Popular(), popular=day.popular, offered=offered, places=places, items=world.items)
    found: Floats = np.asarray(world.attention[:places]) @ law_LN
    return found


if __name__ == "__main__":
    sys.exit(main())
