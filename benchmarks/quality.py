"""How well our models rank on real data, next to each other: full catalogue, `session_next`, intervals over users.

Reads the Google Merchandise Store's export from the folder `gmerch_ga4` of ENDCAP_DATA. Figures: gmerch_cases, and
HR@20 and NDCG@10 of popular, item_markov and two_tower. Settings are chosen before the split, never on the test.
In the simulated shop (preset small, its last week) the same models stand beside the best that is possible there:
`oracle_share_small` is NDCG@10 of the best of them over that of the Bayes-optimal ranking; see `benchmarks/oracle.py`.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from benchmarks.oracle import oracle_figures
from benchmarks.report import arguments, report
from endcap.core.clock import day_start_us
from endcap.core.sequences import Catalogue
from endcap.flows.interactions import Interactions, read_interactions
from endcap.models.evaluate import evaluate
from endcap.models.evaluation_text import evaluation_text
from endcap.models.registry import algorithm
from endcap.simulation.settings import make_world

_SPLIT_DAY = "2016-09-15"
_MODELS = {"popular": "popular", "markov": "item_markov", "two_tower": "two_tower"}
_LATER = {
    "gmerch_best_ndcg10": "there is no model beyond item_markov and two_tower yet",
    "gmerch_best_over_markov_ndcg10": "there is no model beyond item_markov and two_tower yet",
    "gmerch_best_over_markov_low": "there is no model beyond item_markov and two_tower yet",
    "retail_best_over_als_ndcg10": "there is no benchmark on online_retail yet",
    "retail_best_over_als_low": "there is no benchmark on online_retail yet",
    "ranker_auc": "there is no ranker yet",
    "ranker_gauc": "there is no ranker yet",
    "ranker_baseline_auc": "there is no ranker yet",
    "ranker_logloss_gain_low": "there is no ranker yet",
    "ranker_calibration_worst_decile": "there is no ranker yet",
}
_EVENTS = """
copy (
    select user_pseudo_id as cookie, event_timestamp as at_us, unnest(items).item_id as item,
        list_filter(event_params, lambda each: each.key = 'ga_session_id')[1].value.int_value as session
    from read_parquet($files)
    where event_name in ('view_item', 'add_to_cart', 'purchase')
) to '{target}' (format parquet)
"""
_CATALOGUE = "select id, title, product_type, brand, price from read_csv($file, delim = '\t', all_varchar = true)"


def main() -> int:
    """Measure and report; without the data everything is unmeasured."""
    options = arguments(__doc__)
    folder = Path(os.environ.get("ENDCAP_DATA", "../shared/data")) / "gmerch_ga4"
    figures, missing = oracle_figures(make_world("small", scale=0.25 if options.quick else 1.0)), {}
    if folder.is_dir():
        figures |= _gmerch_figures(folder)
    else:
        keys = ["gmerch_cases", *(f"gmerch_{each}_{end}" for each in _MODELS for end in ("hr20", "ndcg10"))]
        missing = dict.fromkeys(keys, "there is no folder gmerch_ga4 in ENDCAP_DATA")
    report("quality", figures, options, unmeasured={**missing, **_LATER})
    return 0


def _gmerch_figures(folder: Path) -> dict[str, float]:
    found = _read(folder)
    result = evaluate(
        {name: algorithm(name) for name in _MODELS.values()},
        found.sequences,
        _with_content(found.catalogue, folder / "catalog.tsv"),
        protocol="session_next",
        split_us=day_start_us(_SPLIT_DAY),
        ks=(5, 10, 20),
        seed=17,
        resamples=200,
    )
    print(evaluation_text(result), file=sys.stderr)
    print({name: round(seconds, 1) for name, seconds in result.fit_s.items()}, "s to fit", file=sys.stderr)
    figures: dict[str, float] = {"gmerch_cases": result.counts["cases"]}
    for short, name in _MODELS.items():
        figures[f"gmerch_{short}_hr20"] = round(result.models[name].values["hr@20"], 4)
        figures[f"gmerch_{short}_ndcg10"] = round(result.models[name].values["ndcg@10"], 4)
    return figures


def _read(folder: Path) -> Interactions:
    """Flatten the nested export into one row an event x item, and read it as sessions."""
    with TemporaryDirectory() as scratch, duckdb.connect() as connection:
        target = Path(scratch) / "events.parquet"
        connection.execute(_EVENTS.format(target=target), {"files": str(folder / "events_*.parquet")})
        return read_interactions(target, user="cookie", item="item", time="at_us", session="session")


def _with_content(catalogue: Catalogue, feed: Path) -> Catalogue:
    """Put the feed's titles, categories, brands and prices beside the items."""
    with duckdb.connect() as connection:
        rows = connection.execute(_CATALOGUE, {"file": str(feed)}).fetchall()
    told = {row[0]: [each or "" for each in row[1:]] for row in rows}
    content = [told.get(item, ["", "", "", ""]) for item in catalogue.item_ids]
    return replace(
        catalogue,
        titles=tuple(each[0] for each in content),
        categories=tuple(each[1] for each in content),
        brands=tuple(each[2] for each in content),
        prices=tuple(_minor(each[3]) for each in content),
    )


def _minor(price: str) -> int:
    """Return a feed's price ("15.00 USD") in minor units, -1 where there is none."""
    amount = price.split(" ", maxsplit=1)[0]
    return round(float(amount) * 100) if amount else -1


if __name__ == "__main__":
    sys.exit(main())
