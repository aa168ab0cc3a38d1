import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from endcap.core.errors import Code, ModelError
from endcap.core.tables import ITEMS
from endcap.flows.model_steps import plan_evaluate, plan_index, plan_train
from endcap.flows.refresh import refresh
from endcap.flows.shop import find_shop
from endcap.index.flat import FlatIndex
from endcap.models import registry, scorers
from endcap.models.scorers import load_scorer
from endcap.models.storage import load_arrays, save_arrays


class NearScorer:
    """Items on a circle by their number; a query is its last item's place."""

    kind = "near"

    def __init__(self, vectors):
        self.item_vectors_ND = vectors

    def query_vectors_BD(self, queries):
        items_B1, filled_B1 = queries.last(1)
        return np.where(filled_B1, self.item_vectors_ND[items_B1[:, 0]], 0).astype(np.float32)

    def score(self, queries):
        return self.query_vectors_BD(queries) @ self.item_vectors_ND.T

    def save(self, folder):
        save_arrays(folder, kind=self.kind, settings={}, arrays={"vectors": self.item_vectors_ND})

    @classmethod
    def load(cls, folder):
        return cls(load_arrays(folder, kind=cls.kind)[1]["vectors"])


class Near:
    """The recipe of it, as another package would bring it."""

    kind = "near"

    def __init__(self, turn=1.0):
        self.turn = turn

    def fit(self, _sequences, catalogue, *, seed):
        angles = (np.arange(len(catalogue.item_ids)) + seed * 0) * self.turn / len(catalogue.item_ids)
        return NearScorer(np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32))


PACKAGE = SimpleNamespace(name="near-package", version="1.0")


@pytest.fixture
def near_package(monkeypatch):
    def points(group):
        found = {"endcap.algorithms": Near, "endcap.scorers": NearScorer}[group]
        return [SimpleNamespace(name="near", load=lambda: found, dist=PACKAGE)]

    monkeypatch.setattr(registry, "entry_points", points)
    monkeypatch.setattr(scorers, "entry_points", points)


def set_models(root, text):
    """Put other settings of models in the place of those of the tiny shop."""
    told = (root / "endcap.toml").read_text()
    line = 'train = ["popular", "item_markov"]\n'
    assert line in told
    (root / "endcap.toml").write_text(told.replace(line, text))


def trained(root, flow_of):
    return flow_of(root).ledger.outputs("train")


def test_a_model_tells_the_ids_of_its_items(tiny_shop, flow_of):
    for name, output in trained(tiny_shop, flow_of).items():
        ids = json.loads((tiny_shop / "models" / name / output["version"] / "items.json").read_text())
        assert ids == sorted(ids)
        assert len(ids) == flow_of(tiny_shop).ledger.outputs("items")[""]["num_items"]


def test_each_model_lies_under_its_version_and_can_be_loaded(tiny_shop, flow_of):
    outputs = trained(tiny_shop, flow_of)
    assert set(outputs) == {"popular", "item_markov"}
    for name, output in outputs.items():
        folder = tiny_shop / "models" / name
        assert [path.name for path in folder.iterdir()] == [output["version"]]
        assert load_scorer(folder / output["version"]).kind == output["kind"] == name
        assert len(output["version"]) == 16
    assert list((tiny_shop / "scratch").glob("models-*")) == []


def test_fitting_again_on_the_same_data_gives_the_same_version(own_shop, flow_of, morning):
    before = trained(own_shop, flow_of)
    refresh(own_shop, verbs=("ingest", "train"), again=("train",), clock=morning)
    assert trained(own_shop, flow_of) == before
    assert len(list((own_shop / "models").glob("*/*"))) == 2


def test_other_settings_of_one_model_make_a_new_version_of_that_model_alone(own_shop, flow_of, morning):
    before = trained(own_shop, flow_of)
    set_models(own_shop, 'train = ["popular", "item_markov"]\n[models.item_markov]\nmax_gap = 50\n')
    refresh(own_shop, verbs=("ingest", "train"), clock=morning)
    after = trained(own_shop, flow_of)
    assert after["popular"] == before["popular"]
    assert after["item_markov"]["version"] != before["item_markov"]["version"]
    kept = {path.name for path in (own_shop / "models" / "item_markov").iterdir()}
    assert kept == {before["item_markov"]["version"], after["item_markov"]["version"]}


def test_a_new_day_makes_new_versions(tiny_shop, grown_shop, flow_of):
    before, after = trained(tiny_shop, flow_of), trained(grown_shop, flow_of)
    assert all(after[name]["version"] != before[name]["version"] for name in before)


def test_models_are_measured_side_by_side_on_the_last_days(grown_shop, flow_of):
    told = json.loads((grown_shop / "reports" / "evaluation.json").read_bytes())
    assert told["split_day"] == "2026-01-04"  # a quarter of four days
    assert set(told["models"]) == {"popular", "item_markov"}
    assert told["models"]["item_markov"]["ndcg@10"] > told["models"]["popular"]["ndcg@10"] > 0
    output = flow_of(grown_shop).ledger.outputs("evaluate")[""]
    assert output["serving_model"] == "item_markov"
    assert output["metrics"]["popular"]["ndcg@10"] == told["models"]["popular"]["ndcg@10"]
    assert "ci" not in output["metrics"]["popular"]
    assert "item_markov" in (grown_shop / "reports" / "evaluation.txt").read_text()


def test_the_model_named_in_the_settings_is_to_order_slates_whatever_is_measured(own_shop, flow_of, morning):
    set_models(own_shop, 'train = ["popular", "item_markov"]\ndefault = "popular"\n')
    told = refresh(own_shop, verbs=("ingest", "train", "evaluate"), clock=morning)
    assert flow_of(own_shop).ledger.outputs("evaluate")[""]["serving_model"] == "popular"
    assert told.steps[-1].note.endswith("; popular orders slates")


def test_models_without_vectors_have_no_index(tiny_shop, flow_of):
    assert plan_index(flow_of(tiny_shop)) == {}
    assert not (tiny_shop / "index").exists()


def test_nothing_is_planned_before_there_are_sequences(fresh_shop, flow_of):
    flow = flow_of(fresh_shop)
    assert (plan_train(flow), plan_index(flow), plan_evaluate(flow)) == ({}, {}, {})


@pytest.mark.usefixtures("near_package")
def test_a_model_with_vectors_gets_an_index_that_is_measured_and_bundled(own_shop, flow_of, manifest_of, morning):
    set_models(own_shop, 'train = ["popular", "item_markov", "near"]\n')
    refresh(own_shop, clock=morning)
    version = trained(own_shop, flow_of)["near"]["version"]
    flow = flow_of(own_shop, "2026-01-03")
    assert plan_index(flow) == {"near": {"model": version, "through": "2026-01-03", **flow.digests(ITEMS, [""])}}
    output = flow_of(own_shop).ledger.outputs("index")["near"]
    place = own_shop / "index" / "near" / output["version"]
    assert len(FlatIndex.load(place)) == 40
    assert json.loads((place / "report.json").read_bytes()) == output["recall"]
    assert output["recall"]["recall_min"] == 1.0  # a flat index finds all
    assert [model.name for model in manifest_of(own_shop).models if model.vectors] == ["near"]
    bundle = find_shop(own_shop).bundles / manifest_of(own_shop).bundle_id
    assert (bundle / "index" / "near" / "report.json").read_bytes() == (place / "report.json").read_bytes()


@pytest.mark.usefixtures("near_package")
def test_an_index_of_a_model_that_is_gone_is_told_with_its_fix(own_shop, flow_of, manifest_of, morning):
    bundle = manifest_of(own_shop)
    set_models(own_shop, 'train = ["popular", "item_markov", "near"]\n')
    refresh(own_shop, verbs=("ingest", "train"), clock=morning)
    version = trained(own_shop, flow_of)["near"]["version"]
    shutil.rmtree(own_shop / "models" / "near" / version)
    with pytest.raises(ModelError) as caught:
        refresh(own_shop, verbs=("ingest", "index"), clock=morning)
    assert caught.value.fix == "run `endcap refresh SHOP --again train`"
    assert version in caught.value.where
    failed = flow_of(own_shop).ledger.attempts(limit=1)[0]
    assert (failed["step"], failed["outcome"], failed["error_code"]) == ("index", "failed", Code.BUNDLE_DAMAGED)
    assert manifest_of(own_shop) == bundle
    assert refresh(own_shop, clock=morning).bundle_id != bundle.bundle_id


@pytest.mark.usefixtures("near_package")
def test_another_version_of_a_models_package_is_fitted_anew(own_shop, morning, monkeypatch):
    set_models(own_shop, 'train = ["popular", "near"]\n')
    verbs = ("ingest", "train")
    refresh(own_shop, verbs=verbs, clock=morning)
    assert refresh(own_shop, verbs=verbs, clock=morning).steps[-1].state == "unchanged"
    monkeypatch.setattr(PACKAGE, "version", "1.1")
    assert refresh(own_shop, verbs=verbs, clock=morning).steps[-1].state == "done"


def test_the_best_model_is_found_whatever_lengths_are_measured(own_shop, manifest_of, morning, monkeypatch):
    monkeypatch.setenv("ENDCAP__MODELS__EVALUATION__KS", "[5, 20]")
    refresh(own_shop, clock=morning)
    assert manifest_of(own_shop).metrics["popular"]["ndcg@10"] is not None
