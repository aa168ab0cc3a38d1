import re
import shutil

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from endcap.core.errors import Code, ModelError
from endcap.core.tables import EXAMPLES
from endcap.features.negatives_config import HardNegatives
from endcap.flows.folder import keep_folder
from endcap.flows.neighbours import ITEMS_FILE, ModelNeighbours, no_neighbours, open_neighbours
from endcap.flows.refresh import refresh
from endcap.models.two_tower_scorer import TwoTowerScorer

IDS = pa.array(list("ABCDE"))
# A and B point one way, C and D nearly so and less far, E has no vector.
VECTORS = np.array([[2, 0], [3, 0], [1, 0.1], [1, -0.5], [0, 0]], np.float32)


def near(wanted, *, first=1, last=4):
    found = ModelNeighbours(IDS, VECTORS, first=first, last=last)(pa.array(wanted, pa.string()))
    return ["".join(each) for each in found.to_pylist()]


def scorer(vectors_ND):
    zeros = np.zeros((4, 2), np.float32)
    return TwoTowerScorer(vectors_ND, np.ones(3, np.float32), np.zeros((4, 4), np.float32), np.zeros(4, np.float32),
                          zeros.T.copy(), np.zeros(2, np.float32))  # fmt: skip


def kept(models, ids=("A", "B", "C", "D", "E"), name="two_tower"):
    """Keep a fitted model as the step does; return its version."""

    def save(folder):
        scorer(VECTORS).save(folder)
        if ids:
            (folder / ITEMS_FILE).write_bytes(msgspec.json.encode(ids))

    return keep_folder(models / name, models.parent / "beside", save)


def test_neighbours_stand_by_their_inner_product_and_an_item_is_not_its_own():
    assert near(["A", "B"]) == ["BCDE", "ACDE"]


def test_ranks_cut_a_window_out():
    assert near(["A", "C"], first=2, last=3) == ["CD", "AD"]
    assert near(["A"], first=3, last=100) == ["DE"]
    assert near(["A"], first=9, last=100) == [""]


def test_an_item_without_a_vector_or_not_known_has_no_neighbours():
    assert near(["E", "new", "A"], last=1) == ["", "", "B"]
    assert near([]) == []


def test_a_shop_of_one_item_has_no_neighbours():
    assert ModelNeighbours(IDS[:1], VECTORS[:1], first=1, last=3)(IDS[:1]).to_pylist() == [[]]


def test_an_item_that_is_not_among_its_own_nearest_costs_no_rank():
    vectors = np.array([[1, 0], [2, 0], [3, 0], [4, 0]], np.float32)
    found = ModelNeighbours(IDS[:4], vectors, first=1, last=2)(pa.array(["A", "D"]))
    assert found.to_pylist() == [["D", "C"], ["C", "B"]]


def test_neighbours_do_not_depend_on_what_else_is_asked():
    rng = np.random.default_rng(5)
    ids = pa.array([f"I{number:03}" for number in range(300)])
    vectors = rng.normal(size=(300, 24)).astype(np.float32)
    together = ModelNeighbours(ids, vectors, first=2, last=60)(ids).to_pylist()
    one_by_one = ModelNeighbours(ids, vectors, first=2, last=60)
    assert [one_by_one(ids[at : at + 1]).to_pylist()[0] for at in range(299, -1, -1)] == together[::-1]


def test_a_kept_model_answers_under_the_ids_it_was_fitted_with(tmp_path):
    version = kept(tmp_path / "models")
    found = open_neighbours(tmp_path / "models", HardNegatives(model="two_tower", version=version, first=1, last=2))
    assert found(pa.array(["A"])).to_pylist() == [["B", "C"]]


def test_a_version_that_is_not_there_is_told_with_those_that_are(tmp_path):
    version = kept(tmp_path / "models")
    for model, told in (
        ("two_tower", f"versions of two_tower there: {version}"),
        ("two_towers", "did you mean 'two_t"),
    ):
        with pytest.raises(ModelError, match=re.escape(told)) as caught:
            open_neighbours(tmp_path / "models", HardNegatives(model=model, version="0" * 16))
        assert caught.value.code == Code.MODEL_UNKNOWN
    with pytest.raises(ModelError, match="no model is there yet"):
        open_neighbours(tmp_path / "none", HardNegatives(model="two_tower", version="0" * 16))


def test_a_model_without_ids_or_vectors_and_a_damaged_one_are_refused(tmp_path, tiny_shop, flow_of):
    version = kept(tmp_path / "models", ids=())
    with pytest.raises(ModelError, match="does not tell its items' ids"):
        open_neighbours(tmp_path / "models", HardNegatives(model="two_tower", version=version))
    (tmp_path / "models" / "two_tower" / version / "scorer.json").write_text("{}")
    with pytest.raises(ModelError, match="no longer what it was"):
        open_neighbours(tmp_path / "models", HardNegatives(model="two_tower", version=version))
    popular = flow_of(tiny_shop).ledger.outputs("train")["popular"]["version"]
    with pytest.raises(ModelError, match="it has no vectors"):
        open_neighbours(tiny_shop / "models", HardNegatives(model="popular", version=popular))


def test_nobody_is_asked_where_no_sampler_wants_neighbours():
    with pytest.raises(AssertionError):
        no_neighbours(IDS)


@pytest.fixture
def pinned_shop(own_shop, rows_of):
    """The tiny shop with a model of its own making pinned, and every kind of negative asked for."""
    ids = sorted({item for row in rows_of(own_shop, EXAMPLES) for item in (row["item_id"], *row["context_item_ids"])})
    angles = np.arange(len(ids)) / len(ids)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def save(folder):
        scorer(vectors).save(folder)
        (folder / ITEMS_FILE).write_bytes(msgspec.json.encode(ids))

    version = keep_folder(own_shop / "models" / "pinned", own_shop / "scratch" / "beside", save)
    told = (own_shop / "endcap.toml").read_text()
    samplers = f"""
        [[features.negatives]]
        kind = "popularity"
        [[features.negatives]]
        kind = "uniform"
        num = 2
        [[features.negatives]]
        kind = "unclicked"
        num = 3
        [[features.negatives]]
        kind = "hard"
        num = 5
        model = "pinned"
        version = "{version}"
        first = 1
        last = 6
    """
    (own_shop / "endcap.toml").write_text(told + samplers)
    return own_shop


def test_a_shop_with_every_kind_of_negative_comes_to_rest(pinned_shop, morning, rows_of):
    refresh(pinned_shop, clock=morning)
    rows = [row for row in rows_of(pinned_shop, EXAMPLES) if row["negative_kinds"].count("uniform")]
    assert {len(row["negative_item_ids"]) for row in rows} == {14}
    kinds = [kind for row in rows for kind in row["negative_kinds"]]
    assert {"uniform", "popularity", "unclicked", "hard"} == set(kinds)
    assert not any(report.rows for report in refresh(pinned_shop, clock=morning).steps)


def test_a_pinned_model_that_is_gone_stops_the_step_and_says_what_is_there(pinned_shop, morning):
    shutil.rmtree(pinned_shop / "models" / "pinned")
    with pytest.raises(ModelError, match=r"hard negatives name pinned [0-9a-f]{16}, which is not there; known: "):
        refresh(pinned_shop, clock=morning)
