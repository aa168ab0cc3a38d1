"""What a shopper was shown just before: how much of a next item it tells, as models of their own.

`python -m benchmarks.exposed [--quick] [--out FILE]`, on gmerch as in `benchmarks.models`. A click follows a list, so
whoever knows the list knows most of the answer; that is another question than what to recommend, and is never mixed
into the figures of `blend`. Two models, each `blend`'s shares mixed with those of the items of the last lists (of half
an hour; a share falls with an item's place and with each later list):

- `exposed_before`: lists shown by the instant of the current item, all that is known when a recommendation is made.
- `exposed_at_click`: lists shown by the instant of the next item, too: what a re-ranker of that list would know.

The weight, the fall by place and by list are chosen on the last fifth of the time before the split. Without blend
(`lists_before`, `lists_at_click`): the lists alone. Quick: item_markov stands for blend.
"""

import os
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from benchmarks import gmerch
from benchmarks.report import arguments, report
from endcap.core.clock import day_start_us
from endcap.flows.interactions import Interactions
from endcap.metrics.intervals import interval, paired_interval
from endcap.metrics.ranking import hr_at, ndcg_at, ranks_of
from endcap.models.blend_scorer import shares_of
from endcap.models.protocols import Cases, Split, session_next
from endcap.models.registry import algorithm

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

_SEED, _RESAMPLES = 17, 200
_WITHIN_US = 1_800_000_000
_HELD_OUT = 0.2
_WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0)
_FALLS_BY_PLACE = (0.0, 0.5, 1.0)
_FALLS_BY_LIST = (0.3, 0.6, 0.9)
_MOST_CELLS = 2**23

_LISTS = """
copy (
    select user_pseudo_id as cookie, event_timestamp as at_us, shown.item_id as item,
        coalesce(try_cast(shown.item_list_index as bigint), 1) as place
    from (select user_pseudo_id, event_timestamp, unnest(items) as shown
          from read_parquet($files) where event_name = 'view_item_list')
) to '{target}' (format parquet)
"""

# Users and items have the numbers that `read_interactions` gives them: in order of their names.
_NUMBERED = """
with visitors as (
    select cookie, row_number() over (order by cookie) - 1 as visitor
    from (select distinct cookie from read_parquet($2) where cookie is not null and item is not null)
)
select visitor, at_us, list_position($3, item) - 1 as item, place
from read_parquet($1) join visitors using (cookie)
where list_contains($3, item)
order by visitor, at_us, place, item
"""


@dataclass(frozen=True)
class _Lists:
    """What was shown, in order of (user, instant, place): R rows of user, instant, item number and place from 0."""

    users: Ints
    at_us: Ints
    items: Ints
    places: Ints

    def shares(self, cases: Cases, until_us: Ints, num_items: int, by_place: float, by_list: float) -> Floats:
        """Return B x N shares of what each case's user was shown in the half hour before `until_us`.

        An item at place p of the l-th last list has (1 + p) ** -by_place * by_list ** l; a row adds up to one, or to
        nothing where no list was shown.
        """
        firsts = _positions(self.users, self.at_us, cases.users, until_us - _WITHIN_US)
        ends = _positions(self.users, self.at_us, cases.users, until_us)
        found = np.zeros((len(cases), num_items), np.float32)
        for case, (first, end) in enumerate(zip(firsts.tolist(), ends.tolist(), strict=True)):
            at_us = self.at_us[first:end]
            later_lists = np.append(np.cumsum((at_us[1:] != at_us[:-1])[::-1])[::-1], 0)[: end - first]
            share = (1.0 + self.places[first:end]) ** -by_place * by_list**later_lists
            np.add.at(found[case], self.items[first:end], share.astype(np.float32))
        found /= np.maximum(found.sum(axis=1, keepdims=True), np.float32(1e-9))
        return found


@dataclass(frozen=True)
class _Asked:
    """Cases with the shares of a model that was fitted on what came before them."""

    cases: Cases
    shares: Floats

    def until(self, when: str) -> Ints:
        """Return the B instants before which lists count: with that of the current item, or without the next one's."""
        at_us = self.cases.at_us
        assert at_us is not None
        found: Ints = at_us[self.cases.ends - 1] + 1 if when == "before" else at_us[self.cases.ends]
        return found

    def ranks(self, shown: Floats, weight: float) -> Ints:
        """Return the ranks of the targets by the mixed shares, the current item left out."""
        mixed = (1 - weight) * self.shares + weight * shown
        mixed[np.arange(len(self.cases)), self.cases.masked] = -np.inf
        return ranks_of(mixed, self.cases.targets)


def main() -> int:
    """Measure and report."""
    options = arguments(__doc__)
    folder = Path(os.environ.get("ENDCAP_DATA", "../shared/data")) / "gmerch_ga4"
    if not folder.is_dir():
        report("exposed", {}, options, unmeasured={"all": "there is no folder gmerch_ga4 in ENDCAP_DATA"})
        return 0
    found = gmerch.read_gmerch(folder)
    lists = _lists(folder, found)
    split = session_next(found.sequences, split_us=day_start_us(gmerch.SPLIT_DAY))
    earlier = session_next(split.train, split_us=int(np.quantile(split.train.at_us, 1 - _HELD_OUT)))
    name = "item_markov" if options.quick else "blend"
    trial, asked = (_asked(name, each, found) for each in (earlier, split))
    size = len(found.catalogue)
    figures: dict[str, Any] = {"cases": len(asked.cases), "listed_items": len(lists.items)}
    alone = asked.ranks(np.zeros_like(asked.shares), 0.0)
    figures |= _told(name, alone, asked.cases)
    for when in ("before", "at_click"):
        weight, *falls = _chosen(lists, trial, when, size)
        shown = lists.shares(asked.cases, asked.until(when), size, *falls)
        figures |= {f"{when}_weight": weight, f"{when}_falls": falls}
        figures[f"{when}_cases_shown_target"] = round(
            float((shown[np.arange(len(shown)), asked.cases.targets] > 0).mean()), 4
        )
        figures |= _told(f"lists_{when}", asked.ranks(shown, 1.0), asked.cases)
        ranks = asked.ranks(shown, weight)
        figures |= _told(f"exposed_{when}", ranks, asked.cases)
        means, ends = paired_interval(
            ndcg_at(ranks, 10)[None], ndcg_at(alone, 10)[None], asked.cases.users, seed=_SEED, resamples=_RESAMPLES
        )
        over = [round(float(each), 4) for each in (means[0], *ends[0])]
        figures[f"exposed_{when}_over_{name}_ndcg10"] = over
    report("exposed", figures, options)
    return 0


def _asked(name: str, split: Split, found: Interactions) -> _Asked:
    """Fit a model on a split's training part and ask it all cases."""
    scorer = algorithm(name).fit(split.train, found.catalogue, seed=_SEED)
    step = max(1, _MOST_CELLS // len(found.catalogue))
    parts = [scorer.score(split.cases.queries(at, at + step)) for at in range(0, len(split.cases), step)]
    return _Asked(split.cases, shares_of(np.concatenate(parts), are_logits=False))


def _chosen(lists: _Lists, trial: _Asked, when: str, num_items: int) -> tuple[float, float, float]:
    """Return the weight and the falls by place and by list with the best NDCG@20 of the trial."""
    best, chosen = -1.0, (0.0, 0.0, 0.0)
    for by_place, by_list in product(_FALLS_BY_PLACE, _FALLS_BY_LIST):
        shown = lists.shares(trial.cases, trial.until(when), num_items, by_place, by_list)
        for weight in _WEIGHTS:
            value = float(ndcg_at(trial.ranks(shown, weight), 20).mean())
            if value > best:
                best, chosen = value, (weight, by_place, by_list)
    print(when, "trial", round(best, 4), chosen, file=sys.stderr, flush=True)
    return chosen


def _positions(users: Ints, at_us: Ints, user_B: Ints, at_B: Ints) -> Ints:
    """Return how many of the rows, in order of (user, instant), stand before each of B users and instants."""
    first, last = int(at_us.min()), int(at_us.max())
    span = last - first + 2
    key_B = user_B * span + np.clip(at_B - first, 0, span - 1)
    return np.searchsorted(users * span + (at_us - first), key_B)


def _told(name: str, ranks: Ints, cases: Cases) -> dict[str, Any]:
    """Return NDCG@10 and HR@20 with their intervals, and of the untied cases."""
    values = {"ndcg10": ndcg_at(ranks, 10), "hr20": hr_at(ranks, 20)}
    figures: dict[str, Any] = {}
    for measure, value_B in values.items():
        ends = interval(value_B[None], cases.users, seed=_SEED, resamples=_RESAMPLES)[0]
        figures[f"{name}_{measure}"] = [round(float(each), 4) for each in (value_B.mean(), *ends)]
        figures[f"{name}_untied_{measure}"] = round(float(value_B[~cases.tied].mean()), 4)
    print(figures, file=sys.stderr, flush=True)
    return figures


def _lists(folder: Path, found: Interactions) -> _Lists:
    """Read what was shown, of users and items that the interactions know."""
    with TemporaryDirectory() as scratch, duckdb.connect() as connection:
        target, events = Path(scratch) / "lists.parquet", Path(scratch) / "events.parquet"
        connection.execute(_LISTS.format(target=target), {"files": str(folder / "events_*.parquet")})
        gmerch.write_events(folder, events)
        rows = connection.execute(_NUMBERED, [str(target), str(events), list(found.catalogue.item_ids)]).fetchnumpy()
    columns = {name: np.asarray(rows[name], np.int64) for name in ("visitor", "at_us", "item", "place")}
    return _Lists(columns["visitor"], columns["at_us"], columns["item"], np.maximum(columns["place"] - 1, 0))


if __name__ == "__main__":
    sys.exit(main())
