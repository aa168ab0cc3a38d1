"""The steps from tables to fitted models: train, index, evaluate.

A model lies in `models/<name>/<version>/`, an index in `index/<name>/<version>/`; a version is the digest of the files.
What was fitted is written beside and renamed, so a folder of that name is always whole.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel

from endcap.core.clock import day_start_us
from endcap.core.errors import Code, ModelError
from endcap.core.tables import EXAMPLES, ITEMS, SEQUENCES
from endcap.flows.fitted import open_for, save_for
from endcap.flows.flow import Flow, Outcome
from endcap.flows.folder import is_whole, keep_folder
from endcap.flows.model_data import read_model_data
from endcap.flows.shop import write_atomically
from endcap.flows.training import Learned, fit_model, forget_checkpoints
from endcap.index.flat import FlatIndex
from endcap.index.recall import recall_report
from endcap.models.config import ALWAYS_MEASURED
from endcap.models.evaluate import evaluate
from endcap.models.evaluation_text import evaluation_text
from endcap.models.protocol import Algorithm, Scorer, TrainedAlgorithm, VectorScorer
from endcap.models.registry import members_of, origin

__all__ = [
    "is_evaluation_there",
    "is_index_there",
    "is_model_there",
    "plan_evaluate",
    "plan_index",
    "plan_train",
    "run_evaluate",
    "run_index",
    "run_train",
]

Plan = dict[str, dict[str, str]]


def _data(flow: Flow) -> dict[str, str]:
    """Name everything that models are made from."""
    tables = {**flow.digests(SEQUENCES, flow.days(SEQUENCES)), **flow.digests(EXAMPLES, flow.days(EXAMPLES))}
    return {"through": flow.through, **tables, **flow.digests(ITEMS, [""])}


def _code_of_others(flow: Flow) -> dict[str, str]:
    """Name the versions of the other packages that algorithms of endcap.toml come from: their code counts, too."""
    names = {each for name, recipe in flow.shop.config.models.recipes().items() for each in (name, *members_of(recipe))}
    return {f"package of {name}": found for name in sorted(names) if (found := origin(name))}


def is_model_there(flow: Flow, name: str) -> bool:
    """Whether the folder of a fitted model is still there and whole."""
    version: str = flow.ledger.outputs("train")[name]["version"]
    return is_whole(flow.shop.models / name / version)


def is_index_there(flow: Flow, name: str) -> bool:
    """Whether the folder of an index is still there and whole."""
    version: str = flow.ledger.outputs("index")[name]["version"]
    return is_whole(flow.shop.index / name / version)


def is_evaluation_there(flow: Flow, _partition: str) -> bool:
    """Whether the report of the evaluation is still there."""
    return all((flow.shop.reports / f"evaluation.{kind}").is_file() for kind in ("json", "txt"))


def plan_train(flow: Flow) -> Plan:
    """A partition for each model of endcap.toml."""
    if not flow.days(SEQUENCES):
        return {}
    inputs = {**_data(flow), **_code_of_others(flow)}
    return dict.fromkeys(flow.shop.config.models.recipes(), inputs)


def run_train(flow: Flow, pending: list[str]) -> Outcome:
    """Fit the pending models on everything up to the last day."""
    learned = Learned(flow)
    output, curves, models = {}, {}, {}
    for name in pending:
        recipe = flow.shop.config.models.recipes()[name]
        scorer, curve = fit_model(flow, name, recipe, learned)

        def save(folder: Path, scorer: Scorer = scorer) -> None:
            save_for(scorer, folder, learned.catalogue)

        version = _keep(flow, flow.shop.models / name, save)
        output[name] = {"kind": recipe.kind, "version": version, "vectors": isinstance(scorer, VectorScorer)}
        models[name] = {"kind": recipe.kind, "version": version, **_settings(flow, recipe)}
        if curve:
            curves[name] = curve
    return Outcome(
        output=output,
        detail={"seed": flow.seed, "models": models, **({"training": curves} if curves else {})},
        note=f"{', '.join(pending)} on {learned.text()}",
        # Not before: a run that is killed at the second model goes through the first by its checkpoints.
        put_in_force=lambda: forget_checkpoints(flow, pending),
    )


def _settings(flow: Flow, recipe: Algorithm) -> dict[str, Any]:
    """Return what a model was fitted under, as plain values: of the recipe, and of training where it is by steps."""
    own = recipe.model_dump(mode="json", exclude={"kind"}) if isinstance(recipe, BaseModel) else {}
    is_by_steps = isinstance(recipe, TrainedAlgorithm)
    training = flow.shop.config.models.training.model_dump(mode="json") if is_by_steps else {}
    return {"settings": own, "training": training}


def plan_index(flow: Flow) -> Plan:
    """A partition for each model whose score is an inner product, over the items of now."""
    trained, items = flow.made_of_models("train"), {"through": flow.through, **flow.digests(ITEMS, [""])}
    return {name: {"model": output["version"], **items} for name, output in trained.items() if output["vectors"]}


def run_index(flow: Flow, pending: list[str]) -> Outcome:
    """Build the index of each pending model and measure what it finds of the exact best items."""
    data = read_model_data(flow)
    trained, output, notes = flow.ledger.outputs("train"), {}, []
    for name in pending:
        folder = flow.shop.models / name / trained[name]["version"]
        scorer = open_for(folder, data.catalogue)
        if not isinstance(scorer, VectorScorer):
            raise _cannot_take_items(folder)
        index = FlatIndex.build(scorer.item_vectors_ND)
        report = recall_report(index, scorer, data.sequences, flow.shop.config.index, seed=flow.seed)

        def save(folder: Path, index: FlatIndex = index, report: Any = report) -> None:
            index.save(folder)
            (folder / "report.json").write_bytes(msgspec.json.encode(report, order="deterministic"))

        output[name] = {"version": _keep(flow, flow.shop.index / name, save), "recall": report}
        notes.append(f"{name} with recall {report['recall_min']:.4f}")
    return Outcome(output=output, note="; ".join(notes))


def _cannot_take_items(folder: Path) -> ModelError:
    return ModelError(
        "the catalogue has changed since this model was fitted, and it cannot make vectors of new items",
        where=str(folder),
        fix="run `endcap refresh SHOP`, which fits it anew",
        code=Code.MODEL_NOT_FITTED,
    )


def plan_evaluate(flow: Flow) -> Plan:
    """One partition: every model of endcap.toml, side by side on the same cases."""
    return {"": {**_data(flow), **_code_of_others(flow)}} if flow.days(SEQUENCES) else {}


def _num_sequences(flow: Flow) -> dict[str, int]:
    """Return for each day with sequences how many there are."""
    parts = flow.ledger.parts(SEQUENCES.name)
    return {day: parts[day].rows for day in flow.days(SEQUENCES)}


def run_evaluate(flow: Flow, _pending: list[str]) -> Outcome:
    """Fit every model on the days before the split and measure it on those after."""
    config = flow.shop.config.models
    data = read_model_data(flow)
    settings = config.evaluation
    split_day = settings.first_test_day(_num_sequences(flow))
    result = evaluate(
        config.recipes(),
        data.sequences,
        data.catalogue,
        protocol=settings.protocol,
        split_us=day_start_us(split_day),
        ks=tuple(sorted({*settings.ks, ALWAYS_MEASURED})),
        seed=flow.seed,
        resamples=settings.resamples,
        training=config.training,
        scratch=flow.shop.scratch,
    )
    # Titles and prices that no feed tells are read off all events, those of the test days too: the table says so.
    plain = {"split_day": split_day, "items_as_of": flow.through, **result.to_plain()}
    write_atomically(flow.shop.reports / "evaluation.json", msgspec.json.encode(plain, order="deterministic"))
    write_atomically(flow.shop.reports / "evaluation.txt", (evaluation_text(result) + "\n").encode())
    metrics = {name: {measure: value for measure, value in values.items() if measure not in {"ci", "undefined"}}
               for name, values in plain["models"].items()}  # fmt: skip
    version = hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()[:16]
    serving = config.serving_model(metrics)
    return Outcome(
        output={"": {"metrics": metrics, "version": version, "split_day": split_day, "serving_model": serving}},
        detail={"seed": flow.seed, "metrics": metrics, "split_day": split_day},
        note=f"test days from {split_day}, {plain['counts']['cases']:,} cases; {serving} orders slates",
    )


def _keep(flow: Flow, folder: Path, save: Callable[[Path], None]) -> str:
    """Have something saved under the digest of its files; return that digest."""
    return keep_folder(folder, flow.shop.scratch / f"{folder.parent.name}-{folder.name}-{flow.run_id}", save)
