from dataclasses import replace

from endcap.flows.foresight import FORESEEN
from endcap.flows.reasons import Reasons, is_upstream
from endcap.flows.steps import STEPS

STEP = next(step for step in STEPS if step.name == "sessions")
DAY = "2026-03-05"


def why(flow, inputs=None, *, step=STEP, day=DAY):
    return Reasons(flow).of(step, day, inputs or STEP.plan(flow)[DAY])


def test_each_part_of_a_fingerprint_that_changed_is_named(flow_of, hand):
    flow = flow_of(hand, "2026-03-09")
    made = STEP.plan(flow)[DAY]
    assert why(flow, day="2026-04-01") == ["never done"]
    assert why(flow, made | {f"events/{DAY}": "other"}) == [f"events/{DAY} changed"]
    assert why(flow, made | {"events/2026-03-06": "other"}) == ["events/2026-03-06 new"]
    assert why(flow, made | {f"events/{DAY}": f"{FORESEEN} ingest"}) == [f"follows if events/{DAY} changes"]
    assert why(flow, step=replace(STEP, code=("events",))) == ["code changed"]
    assert why(flow, step=replace(STEP, is_there=lambda *_: False)) == ["what it made is gone"]


def test_a_changed_setting_is_named_where_the_manifest_of_the_last_run_is_there(flow_of, hand, monkeypatch):
    monkeypatch.setenv("ENDCAP__SESSIONS__GAP_MINUTES", "20")
    flow = flow_of(hand, "2026-03-09")
    assert why(flow) == ["settings changed: sessions.gap_minutes"]
    monkeypatch.setattr("endcap.flows.shop.Shop.runs", hand / "nowhere")
    assert why(flow) == ["settings changed"]


def test_what_was_left_unfinished_is_told(flow_of, own_shop):
    flow = flow_of(own_shop, "2026-01-03")
    flow.ledger.forget("sessions")
    day = "2026-01-02"
    assert Reasons(flow).of(STEP, day, STEP.plan(flow)[day]) == ["left unfinished, or asked for again"]


def test_inputs_are_upstream_where_they_are_partitions_of_tables():
    assert is_upstream("events/2026-01-01")
    assert not is_upstream("ga4:events_1.parquet")
    assert not is_upstream("counts")
