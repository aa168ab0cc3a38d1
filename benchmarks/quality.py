"""How well our models rank on real data, next to each other: full catalogue, `session_next`, intervals over users.

Reads the Google Merchandise Store's export from the folder `gmerch_ga4` of ENDCAP_DATA. Figures: gmerch_cases, and
HR@20 and NDCG@10 of popular, item_markov and two_tower. Settings are chosen before the split, never on the test.
In the simulated shop (preset small, its last week) the same models stand beside the best that is possible there:
`oracle_share_small` is NDCG@10 of the best of them over that of the Bayes-optimal ranking; see `benchmarks/oracle.py`.
"""

import os
import sys
from pathlib import Path

from benchmarks.gmerch import SPLIT_DAY, read_gmerch
from benchmarks.oracle import oracle_figures
from benchmarks.report import arguments, report
from endcap.core.clock import day_start_us
from endcap.models.evaluate import evaluate
from endcap.models.evaluation_text import evaluation_text
from endcap.models.registry import algorithm
from endcap.simulation.settings import make_world

_MODELS = {"popular": "popular", "markov": "item_markov", "two_tower": "two_tower"}
_LATER = {
    "gmerch_best_ndcg10": "benchmarks/models.py measures it",
    "gmerch_best_over_markov_ndcg10": "benchmarks/models.py measures it",
    "gmerch_best_over_markov_low": "benchmarks/models.py measures it",
    "retail_best_over_als_ndcg10": "benchmarks/models.py measures it",
    "retail_best_over_als_low": "benchmarks/models.py measures it",
    "ranker_auc": "there is no ranker yet",
    "ranker_gauc": "there is no ranker yet",
    "ranker_baseline_auc": "there is no ranker yet",
    "ranker_logloss_gain_low": "there is no ranker yet",
    "ranker_calibration_worst_decile": "there is no ranker yet",
}


def main() -> int:
    """Measure and report; without the data everything is unmeasured."""
    options = arguments(__doc__)
    folder = Path(os.environ.get("ENDCAP_DATA", "../shared/data")) / "gmerch_ga4"
    small = make_world("small", scale=0.25 if options.quick else 1.0)
    figures, missing = oracle_figures(small, tuple(_MODELS.values())), {}
    if folder.is_dir():
        figures |= _gmerch_figures(folder)
    else:
        keys = ["gmerch_cases", *(f"gmerch_{each}_{end}" for each in _MODELS for end in ("hr20", "ndcg10"))]
        missing = dict.fromkeys(keys, "there is no folder gmerch_ga4 in ENDCAP_DATA")
    report("quality", figures, options, unmeasured={**missing, **_LATER})
    return 0


def _gmerch_figures(folder: Path) -> dict[str, float]:
    found = read_gmerch(folder)
    result = evaluate(
        {name: algorithm(name) for name in _MODELS.values()},
        found.sequences,
        found.catalogue,
        protocol="session_next",
        split_us=day_start_us(SPLIT_DAY),
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


if __name__ == "__main__":
    sys.exit(main())
