import shutil

import pytest

from endcap.flows.refresh import refresh
from endcap.flows.training import Learned
from endcap.models.blend import Blend
from endcap.models.training.files import Files
from endcap.models.training.source import InMemory
from endcap.models.two_tower import TwoTower


class Killed(BaseException):
    """Not an error that a run would tell of: the process is gone."""


@pytest.fixture
def trained_shop(own_shop):
    """A refreshed shop that is to train a model by steps from now on."""
    settings = own_shop / "endcap.toml"
    text = settings.read_text().replace('train = ["popular", "item_markov"]', 'train = ["two_tower"]')
    settings.write_text(text + "\n[models.training]\ncheckpoint_steps = 5\n[models.two_tower]\nepochs = 4\n")
    return own_shop


def curve_of(flow_of, root):
    attempts = [each for each in flow_of(root).ledger.attempts() if each["step"] == "train"]
    (found,) = [each["detail"]["training"] for each in attempts if "training" in (each["detail"] or {})]
    return found["two_tower"]


def test_a_run_that_is_killed_while_it_trains_goes_on_to_the_same_model(trained_shop, tmp_path, morning, flow_of):
    whole = shutil.copytree(trained_shop, tmp_path / "whole")
    refresh(whole, clock=morning)

    def stop(report):
        if report.state == "under way" and "two_tower: 5" in report.note:
            raise Killed

    with pytest.raises(Killed):
        refresh(trained_shop, clock=morning, progress=stop)
    assert list((trained_shop / "scratch" / "train-two_tower").glob("[0-9]*"))
    begun = []
    refresh(trained_shop, clock=morning, progress=begun.append)
    notes = [report.note for report in begun if report.state == "under way"]
    assert not any("two_tower: 0 %" in note for note in notes)
    models = [flow_of(root).ledger.outputs("train")["two_tower"]["version"] for root in (whole, trained_shop)]
    assert models[0] == models[1]
    assert not (trained_shop / "scratch" / "train-two_tower").exists()
    curve = curve_of(flow_of, whole)
    assert curve[-1]["done"] == curve[-1]["total"]
    assert curve[-1]["loss"] < curve[0]["loss"]


def test_a_shop_that_reads_in_windows_trains_without_reading_everything(trained_shop, morning, flow_of, monkeypatch):
    settings = trained_shop / "endcap.toml"
    settings.write_text(settings.read_text().replace("_steps = 5\n", "_steps = 5\nwindow = 500\n"))

    def refuse(_flow):
        raise AssertionError("all sequences were read")

    monkeypatch.setattr("endcap.flows.training.read_model_data", refuse)
    refresh(trained_shop, clock=morning, verbs=("train",))
    curve = curve_of(flow_of, trained_shop)
    assert curve[-1]["done"] == curve[-1]["total"] > 0
    assert curve[-1]["loss"] < curve[0]["loss"]


def test_a_kill_at_the_second_model_does_not_lose_the_first(trained_shop, morning):
    settings = trained_shop / "endcap.toml"
    text = settings.read_text().replace('train = ["two_tower"]', 'train = ["sequence", "two_tower"]')
    settings.write_text(text + "[models.sequence]\nepochs = 3\ndim = 8\ntokens = 64\n")

    def stop(report):
        if report.state == "under way" and "two_tower: 5" in report.note:
            raise Killed

    with pytest.raises(Killed):
        refresh(trained_shop, clock=morning, progress=stop)
    told = []
    refresh(trained_shop, clock=morning, progress=told.append)
    first = next(report.note for report in told if "sequence:" in report.note and report.state == "under way")
    assert not first.startswith(("sequence: 0 %", "sequence: 1 %", "sequence: 2 %"))
    assert not list((trained_shop / "scratch").glob("train-*"))


def test_a_blend_is_given_everything_in_memory_also_where_others_read_in_windows(trained_shop, flow_of):
    settings = trained_shop / "endcap.toml"
    settings.write_text(settings.read_text().replace("_steps = 5\n", "_steps = 5\nwindow = 500\n"))
    flow = flow_of(trained_shop)
    flow.through = "2026-01-03"
    learned = Learned(flow)
    assert isinstance(learned.source(TwoTower()), Files)
    assert isinstance(learned.source(Blend()), InMemory)


def notes_of(shop, morning, **given):
    told = []
    report = refresh(shop, clock=morning, verbs=("ingest", "train"), progress=told.append, **given)
    return report.steps[-1].state, [each.note for each in told if each.state == "under way"]


@pytest.mark.slow
@pytest.mark.parametrize("window", [0, 500])
def test_ranks_train_what_one_process_trains_with_their_parts_and_changing_them_trains_nothing(
    trained_shop, tmp_path, morning, flow_of, window
):
    def set_training(shop, text):
        settings = shop / "endcap.toml"
        lines = settings.read_text().splitlines()
        at = lines.index("[models.training]") + 1
        settings.write_text(
            "\n".join([*lines[:at], "checkpoint_steps = 5", text, *lines[lines.index("[models.two_tower]") :]])
        )

    alone = shutil.copytree(trained_shop, tmp_path / "alone")
    set_training(alone, f"parts = 2\nwindow = {window}")
    set_training(trained_shop, f"ranks = 2\nwindow = {window}")
    for shop in (alone, trained_shop):
        state, notes = notes_of(shop, morning)
        assert state == "done"
        assert any(note.startswith("two_tower: 50 %") for note in notes)
    versions = [flow_of(shop).ledger.outputs("train")["two_tower"]["version"] for shop in (alone, trained_shop)]
    assert versions[0] == versions[1]
    curves = [curve_of(flow_of, shop) for shop in (alone, trained_shop)]
    assert [[each["loss"] for each in curve] for curve in curves] == [[each["loss"] for each in curves[0]]] * 2
    assert list((trained_shop / "scratch").iterdir()) == []
    set_training(alone, f"ranks = 2\nwindow = {window}")
    set_training(trained_shop, f"parts = 2\nwindow = {window}")
    assert [notes_of(shop, morning)[0] for shop in (alone, trained_shop)] == ["unchanged"] * 2


@pytest.mark.slow
def test_windows_are_read_from_a_lake_in_a_bucket_as_from_one_on_disk(fresh_shop, tmp_path, morning, flow_of, s3):
    endpoint, bucket = s3
    near, far = (shutil.copytree(fresh_shop, tmp_path / name) for name in ("near", "far"))
    stores = f"\n[stores]\nlake = 's3://{bucket}/lake'\nbundles = 's3://{bucket}/bundles'\nendpoint = '{endpoint}'\n"
    versions = []
    for shop, changed in ((near, "\n[stores]\n"), (far, stores)):
        settings = shop / "endcap.toml"
        text = settings.read_text().replace("\n[stores]\n", changed)
        text = text.replace('train = ["popular", "item_markov"]', 'train = ["two_tower"]')
        settings.write_text(text + "\n[models.training]\nwindow = 500\n[models.two_tower]\nepochs = 2\n")
        refresh(shop, clock=morning, verbs=("ingest", "sessionize", "featurize", "train"))
        flow = flow_of(shop, through="2026-01-03")
        assert isinstance(Learned(flow).source(TwoTower()), Files)
        versions.append(flow.ledger.outputs("train")["two_tower"]["version"])
    assert not (far / "lake").exists()
    assert versions[0] == versions[1]
