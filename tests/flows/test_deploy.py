import hashlib
import json
import os
import shutil

import pyarrow as pa
import pytest

from endcap.core.clock import fixed_clock
from endcap.core.errors import Code, ModelError
from endcap.core.landed import LandedEvent, LandedItem
from endcap.core.sequences import EVENT_KINDS
from endcap.core.tables import SEQUENCES
from endcap.features.online import OnlineFeatures
from endcap.flows.deploy import _anew, plan_bundle
from endcap.flows.people import read_people
from endcap.flows.refresh import refresh
from endcap.flows.shop import find_shop
from endcap.models.scorers import load_scorer
from endcap.serving.bundle import open_bundle
from endcap.serving.history import history_of
from endcap.serving.state import VisitorState
from endcap.stores.adapters.lmdb import LmdbKeyValues


def bundle_of(root):
    shop = find_shop(root)
    return shop.bundles / shop.bundle_in_force()


def stamps(folder):
    return {path.relative_to(folder).as_posix(): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def state_of(refreshed, step):
    return next(report.state for report in refreshed.steps if report.step == step)


def items_in(bundle):
    with pa.OSFile(str(bundle / "items.arrow")) as file:
        return pa.ipc.open_file(file).read_all()


def test_the_manifest_names_whose_shop_it_is_and_how_the_bundle_was_made(own_shop, manifest_of, flow_of):
    text = (own_shop / "endcap.toml").read_text()
    assert text.count('project = "tiny"') == 1
    text = text.replace('project = "tiny"', 'project = "tiny"\nregion = "eu-north"')
    (own_shop / "endcap.toml").write_text(text)
    noon = fixed_clock("2026-01-05T12:00:00")
    told = refresh(own_shop, again=("bundle",), clock=noon)
    manifest, config = manifest_of(own_shop), find_shop(own_shop).config
    assert (manifest.organisation, manifest.project, manifest.region) == ("local", "tiny", "eu-north")
    assert (manifest.seed, manifest.config_digest) == (17, config.digest())
    assert (manifest.run_id, manifest.created_at_us) == (told.run_id, noon())
    attempts = flow_of(own_shop).ledger.attempts(run_id=told.run_id)
    assert {(row["step"], row["region"]) for row in attempts} == {("bundle", "eu-north"), ("monitor", "eu-north")}


def test_the_manifest_names_the_version_and_content_of_each_table(grown_shop, manifest_of, flow_of):
    flow = flow_of(grown_shop)
    snapshots = {each.table: each for each in manifest_of(grown_shop).snapshots}
    assert set(snapshots) == {"events", "examples", "items", "sequences"}
    for name, snapshot in snapshots.items():
        parts = flow.ledger.parts(name).values()
        assert snapshot.rows == sum(part.rows for part in parts) > 0
        assert snapshot.version == max(part.version for part in parts)
    assert snapshots["sequences"].version == flow.tables.version(SEQUENCES) == 1


def test_the_manifest_names_models_and_measures_as_the_ledger_has_them(tiny_shop, manifest_of, flow_of):
    manifest, ledger = manifest_of(tiny_shop), flow_of(tiny_shop).ledger
    trained, evaluated = ledger.outputs("train"), ledger.outputs("evaluate")[""]
    assert {model.name: model.version for model in manifest.models} == {
        name: output["version"] for name, output in trained.items()
    }
    assert set(trained) == {"item_markov", "popular"}
    assert manifest.metrics == evaluated["metrics"]
    assert manifest.default_model == max(manifest.metrics, key=lambda name: manifest.metrics[name]["ndcg@10"])


def test_every_file_of_a_bundle_has_the_digest_that_its_manifest_names(tiny_shop, manifest_of):
    bundle, manifest = bundle_of(tiny_shop), manifest_of(tiny_shop)
    found = {
        path.relative_to(bundle).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in bundle.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }
    assert found == manifest.files
    assert {"items.arrow", "histories/items.npy", "models/popular/scorer.json"} <= set(found)
    assert bundle.name == f"2026-01-03-{manifest.digest()[:12]}"


def test_the_items_of_a_bundle_stand_in_the_order_of_their_numbers(tiny_shop, manifest_of):
    item_ids = items_in(bundle_of(tiny_shop))["item_id"].to_pylist()
    assert item_ids == sorted(item_ids)
    assert len(set(item_ids)) == manifest_of(tiny_shop).num_items == 40


def test_the_histories_of_a_bundle_are_those_of_every_user_of_the_shop(tiny_shop, rows_of):
    bundle = bundle_of(tiny_shop)
    histories = OnlineFeatures.open(bundle / "histories")
    item_ids = items_in(bundle)["item_id"].to_pylist()
    sessions = [row for row in rows_of(tiny_shop, SEQUENCES) if row["scope"] == "session"]
    assert len(histories) == len({row["user_key"] for row in sessions}) > 20
    last = max(sessions, key=lambda row: row["started_us"])
    found = histories.history(last["user_key"]).last(len(last["item_ids"]))
    assert [item_ids[number] for number in found.items] == last["item_ids"][-50:]
    assert [EVENT_KINDS[kind] for kind in found.events] == last["event_names"][-50:]
    assert found.at_us.tolist() == last["at_us_list"][-50:]


def test_a_server_knows_at_the_end_of_a_day_what_the_next_bundle_will_hold(tiny_shop, grown_shop, flow_of, tmp_path):
    """The live state has seen the last two days; the bundle in force knows the first of them."""
    flow = flow_of(grown_shop)
    events = flow.engine.to_arrow(read_people(flow, ["2026-01-03", "2026-01-04"]).order_by(["at_us", "event_id"]))
    kv = LmdbKeyValues(tmp_path / "kv", size_mb=8)
    state = VisitorState(kv, events=flow.shop.config.serving.history_events, length=50, num_rows=2000)
    for row in events.to_pylist():
        state.record(
            [
                LandedEvent(
                    event_id=row["event_id"], event_name=row["event_name"], at_us=row["at_us"],
                    user_key=row["user_key"], items=(LandedItem(item_id=row["item_id"]),),
                )
            ]
        )  # fmt: skip
    before, after = (open_bundle(bundle_of(root), load_scorer) for root in (tiny_shop, grown_shop))
    assert (before.manifest.through, after.manifest.through) == ("2026-01-03", "2026-01-04")
    num_new = 0
    for key in set(events["user_key"].to_pylist()):
        found, failed = history_of([key], before, state, length=50)
        wanted = after.histories.history(key)
        assert failed == []
        assert [before.items.ids[number] for number in found.items] == [after.items.ids[n] for n in wanted.items]
        assert found.events.tolist() == wanted.events.tolist()
        assert found.at_us.tolist() == wanted.at_us.tolist()
        num_new += len(found) > len(before.histories.history(key))
    assert num_new > 10
    kv.close()


def test_models_are_linked_into_the_bundle_and_take_no_room_of_their_own(tiny_shop, manifest_of):
    for model in manifest_of(tiny_shop).models:
        kept = tiny_shop / "models" / model.name / model.version / "arrays.safetensors"
        assert kept.samefile(bundle_of(tiny_shop) / "models" / model.name / "arrays.safetensors")


def test_models_are_copied_where_the_file_system_has_no_links(own_shop, manifest_of, monkeypatch, morning):
    def refused(*_paths):
        raise OSError(1, "Operation not permitted")

    bundle = manifest_of(own_shop)
    shutil.rmtree(own_shop / "bundles")
    monkeypatch.setattr(os, "link", refused)
    refresh(own_shop, again=("bundle",), clock=morning)
    assert manifest_of(own_shop).files == bundle.files
    copied = bundle_of(own_shop) / "models" / "popular" / "scorer.json"
    assert copied.stat().st_nlink == 1


def test_a_bundle_of_the_same_content_is_not_written_again(own_shop, morning):
    bundle = bundle_of(own_shop)
    before = stamps(bundle)
    assert state_of(refresh(own_shop, again=("bundle",), clock=morning), "bundle") == "done"
    assert (bundle_of(own_shop), stamps(bundle)) == (bundle, before)
    assert list((own_shop / "scratch").glob("bundle-*")) == []


@pytest.mark.parametrize("name", ["items.arrow", "histories/keys.npy", "manifest.json"])
def test_a_bundle_that_lost_a_file_is_made_again(name, own_shop, manifest_of, morning):
    files = manifest_of(own_shop).files
    (bundle_of(own_shop) / name).unlink()
    refresh(own_shop, again=("bundle",), clock=morning)
    assert manifest_of(own_shop).files == files
    assert (bundle_of(own_shop) / name).is_file()


def test_a_bundle_with_a_damaged_file_is_made_again(own_shop, manifest_of, morning):
    path = bundle_of(own_shop) / "items.arrow"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    refresh(own_shop, again=("bundle",), clock=morning)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == manifest_of(own_shop).files["items.arrow"]


def test_a_damaged_model_is_told_and_not_bundled_and_the_fix_that_is_told_repairs_it(own_shop, manifest_of, morning):
    bundle = manifest_of(own_shop)
    (model,) = [each for each in bundle.models if each.name == "popular"]
    place = own_shop / "models" / "popular" / model.version
    arrays = place / "arrays.safetensors"
    whole = arrays.read_bytes()
    arrays.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))  # the bundle's own file is the same one
    with pytest.raises(ModelError) as caught:
        refresh(own_shop, verbs=("ingest", "bundle"), again=("bundle",), clock=morning)
    assert (caught.value.code, caught.value.where) == (Code.MODEL_NOT_FITTED, str(place))
    assert caught.value.fix == "run `endcap refresh SHOP --again train`"
    assert manifest_of(own_shop) == bundle
    assert list((own_shop / "scratch").glob("bundle-*")) == []
    refresh(own_shop, again=("bundle",), clock=morning)
    assert arrays.read_bytes() == whole
    assert open_bundle(own_shop / "bundles" / bundle.bundle_id, load_scorer).version == bundle.bundle_id


@pytest.mark.parametrize("gone", ["bundles", "bundles/current", "models/popular", "models", "reports"])
def test_what_is_gone_is_made_again_by_the_next_refresh(gone, own_shop, manifest_of, morning):
    bundle = manifest_of(own_shop)
    path = own_shop / gone
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    refresh(own_shop, clock=morning)
    assert manifest_of(own_shop).bundle_id == bundle.bundle_id
    assert path.exists()
    assert {report.state for report in refresh(own_shop, clock=morning).steps} == {"unchanged"}


def test_a_bundle_that_somebody_went_back_to_stays_in_force(own_shop, manifest_of, morning, monkeypatch):
    older = manifest_of(own_shop).bundle_id
    monkeypatch.setenv("ENDCAP__SHOP__REGION", "eu")
    newer = refresh(own_shop, clock=morning).bundle_id
    assert (manifest_of(own_shop).region, newer != older) == ("eu", True)
    (own_shop / "bundles" / "current").write_text(older)
    assert refresh(own_shop, clock=morning).bundle_id == older


def test_another_default_model_is_another_bundle(own_shop, manifest_of, morning, monkeypatch):
    assert manifest_of(own_shop).default_model == "item_markov"
    monkeypatch.setenv("ENDCAP__MODELS__DEFAULT", "popular")
    refresh(own_shop, clock=morning)
    assert manifest_of(own_shop).default_model == "popular"


def test_a_bundle_is_only_planned_where_something_is_trained(fresh_shop, tiny_shop, flow_of):
    assert plan_bundle(flow_of(fresh_shop)) == {}
    ((partition, inputs),) = plan_bundle(flow_of(tiny_shop, through="2026-01-03")).items()
    assert (partition, inputs["through"]) == ("", "2026-01-03")
    assert {"train:popular", "train:item_markov", "evaluate:", "items/", "sequences/2026-01-03"} <= set(inputs)


def test_the_manifest_can_be_read_by_people(tiny_shop):
    text = (bundle_of(tiny_shop) / "manifest.json").read_text()
    assert json.loads(text)["through"] == "2026-01-03"
    assert text.count("\n") > 20


def test_what_memory_holds_where_a_value_is_missing_is_not_in_the_bytes():
    def table(below_the_missing):
        values = pa.array([1, below_the_missing, 3], pa.int64())
        validity = pa.py_buffer(bytes([0b101]))
        column = pa.Array.from_buffers(pa.int64(), 3, [validity, values.buffers()[1]])
        return pa.table({"price_minor": column})

    def bytes_of(rows):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, rows.schema) as writer:
            writer.write_table(rows)
        return sink.getvalue().to_pybytes()

    assert table(7) == table(8)
    assert bytes_of(table(7)) != bytes_of(table(8))
    assert bytes_of(_anew(table(7))) == bytes_of(_anew(table(8)))
