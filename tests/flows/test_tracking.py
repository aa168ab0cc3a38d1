import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.errors import Code, ConfigError, StoreError
from endcap.core.tables import EVENTS
from endcap.flows import tracking as steps
from endcap.flows.refresh import refresh
from endcap.flows.runner import run_steps
from endcap.flows.steps import STEPS
from endcap.flows.wiring import tracking as wiring

TRACK = next(step for step in STEPS if step.name == "track")


class Told:
    """A server in memory, which may be away or refuse a model."""

    where = "memory"

    def __init__(self):
        self.runs, self.asked, self.is_away, self.refused = {}, 0, False, ""

    def put(self, run):
        self.asked += 1
        if self.is_away:
            raise StoreError("no answer", fix="wait", code=Code.TRACKING_UNREACHABLE)
        if run.tags["endcap.model"] == self.refused:
            raise StoreError("no", fix="mend it", code=Code.TRACKING_REFUSED)
        self.runs[run.key] = run

    def of(self, model):
        (run,) = [run for run in self.runs.values() if run.tags["endcap.model"] == model]
        return run


@pytest.fixture
def track(flow_of):
    """Run the step over a shop, with a server of its own; returns that server and the step's report."""

    def run(root, server):
        flow = flow_of(root)
        toml = root / "endcap.toml"
        toml.write_text(re.sub('# mlflow = ""', 'mlflow = "https://mlflow.internal"', toml.read_text()))
        flow = flow_of(root)
        flow.make_tracking = lambda: server
        flow.through = "2026-01-03"
        return run_steps(flow, [TRACK])[0]

    return run


def test_each_model_is_told_with_its_settings_its_digests_and_what_was_measured(own_shop, track, flow_of):
    server = Told()
    assert track(own_shop, server).note == "2 of 2 fits mirrored to memory"
    run, ledger = server.of("item_markov"), flow_of(own_shop).ledger
    (attempt,) = ledger.done_attempts("train")
    assert run.params["kind"] == "item_markov"
    assert run.params["seed"] == "17"
    assert run.params["model.decay"] == "auto"
    assert not [name for name in run.params if name.startswith("training.")]  # nothing of it counts for this model
    assert run.tags["endcap.model_digest"] == ledger.outputs("train")["item_markov"]["version"]
    assert run.tags["endcap.run_id"] == attempt["run_id"]
    assert (run.started_at_us, run.ended_at_us) == (attempt["started_at_us"], attempt["ended_at_us"])
    measured = ledger.outputs("evaluate")[""]["metrics"]["item_markov"]["ndcg@10"]
    assert {each.name: each.value for each in run.measured}["test/ndcg@10"] == measured


def test_what_was_told_is_not_told_again(own_shop, track):
    server = Told()
    track(own_shop, server)
    assert track(own_shop, server).state == "unchanged"
    assert server.asked == 2


def test_a_server_that_is_away_is_asked_once_fails_nothing_and_is_told_later(own_shop, track):
    server = Told()
    server.is_away = True
    report = track(own_shop, server)
    assert report.state == "done"
    assert report.note.startswith(
        "0 of 2 fits mirrored to memory; the next run tries again: no answer [tracking-unreachable]; left out: "
    )
    assert server.asked == 1
    server.is_away = False
    assert track(own_shop, server).note == "2 of 2 fits mirrored to memory"


def test_a_run_that_is_refused_keeps_no_other_back(own_shop, track):
    server = Told()
    server.refused = "item_markov"
    assert track(own_shop, server).note.startswith("1 of 2 fits mirrored")
    server.refused = ""
    assert track(own_shop, server).note == "1 of 1 fits mirrored to memory"
    assert len(server.runs) == 2


def test_an_evaluation_that_comes_later_is_added_to_the_fit_of_the_same_data(own_shop, track, flow_of):
    server = Told()
    flow = flow_of(own_shop)
    done = flow.ledger.done_attempts
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(type(flow.ledger), "done_attempts",
                        lambda _ledger, step, **named: [] if step == "evaluate" else done(step, **named))  # fmt: skip
        track(own_shop, server)
    assert server.of("popular").measured == ()
    track(own_shop, server)
    assert server.of("popular").measured


def test_an_evaluation_of_other_settings_is_not_told_of_this_fit():
    attempt = {"inputs": {"through": "d"}, "code_digest": "c", "detail": {"made_from": {"settings": "s"}, "seed": 1}}
    other = {**attempt, "detail": {"made_from": {"settings": "t"}, "seed": 1}}
    assert steps._made_of(attempt) == steps._made_of(dict(attempt)) != steps._made_of(other)  # noqa: SLF001


def test_the_curve_is_told_by_examples_and_settings_by_their_paths():
    curve = [
        {"done": 50, "total": 100, "loss": 2.5, "examples_per_s": 10, "validation": None},
        {"done": 100, "total": 100, "loss": 2.0, "examples_per_s": 12, "validation": 2.25},
    ]
    told = [(each.name, each.step, each.value) for each in steps._curve(curve)]  # noqa: SLF001
    assert told == [
        ("training/loss", 50, 2.5), ("training/examples_per_s", 50, 10.0),
        ("training/loss", 100, 2.0), ("training/validation_loss", 100, 2.25), ("training/examples_per_s", 100, 12.0),
    ]  # fmt: skip
    assert dict(steps._flat("model", {"dim": 8, "weights": {"buy": 2}})) == {"model.dim": 8, "model.weights.buy": 2}  # noqa: SLF001
    assert [each.value for each in steps._tested({"ndcg@10": 0.5, "hr@10": None})] == [0.5]  # noqa: SLF001


def test_a_shop_without_a_server_has_no_such_step(own_shop, morning):
    assert "track" not in [report.step for report in refresh(own_shop, clock=morning).steps]


def test_what_is_missing_is_told_before_anything_is_done(own_shop, morning, monkeypatch, flow_of):
    toml = own_shop / "endcap.toml"
    toml.write_text(toml.read_text().replace('# mlflow = ""', 'mlflow = "https://mlflow.internal"'))
    monkeypatch.setattr(wiring, "find_spec", lambda _name: None)
    before = flow_of(own_shop).ledger.attempts()
    with pytest.raises(ConfigError, match="MLflow is not installed"):
        refresh(own_shop, again=("train",), clock=morning)
    assert flow_of(own_shop).ledger.attempts() == before


def test_a_shop_is_mirrored_to_mlflow_without_the_id_of_any_user(own_shop, morning, mlflow_file, rows_of):
    toml = own_shop / "endcap.toml"
    bundle = (own_shop / "bundles" / "current").read_bytes()
    toml.write_text(toml.read_text().replace('# mlflow = ""', f'mlflow = "{mlflow_file}"'))
    told = {report.step: report for report in refresh(own_shop, clock=morning).steps}
    assert told["track"].note.startswith("2 of 2 fits mirrored to sqlite:///")
    assert {report.state for name, report in told.items() if name not in ("track", "monitor")} == {"unchanged"}
    assert (own_shop / "bundles" / "current").read_bytes() == bundle
    held = Path(mlflow_file.removeprefix("sqlite:///")).read_bytes()
    assert b"item_markov 2026-01-03" in held
    events = pa.concat_tables(pq.read_table(path) for path in (own_shop / "export").glob("events_*.parquet"))
    raw = {*events["user_pseudo_id"].to_pylist(), *events["user_id"].to_pylist()} - {None}
    keyed = {row["user_key"] for row in rows_of(own_shop, EVENTS)}
    assert raw
    assert keyed
    assert not [user for user in raw | keyed if str(user).encode() in held]
