from endcap.core.errors import Code, DataError
from endcap.flows.backfill_plan import Span, look_ahead
from endcap.flows.flow import Trouble
from endcap.flows.steps import STEPS

BY_NAME = {step.name: step for step in STEPS}


def chosen(flow, step, pending):
    return list(Span("2026-03-05", "2026-03-09")(flow, BY_NAME[step], pending))


def test_days_outside_are_done_only_where_tables_changed_that_they_are_made_from(flow_of, hand):
    flow = flow_of(hand, "2026-03-09")
    as_made = BY_NAME["sessions"].plan(flow)
    assert chosen(flow, "sessions", as_made) == ["2026-03-05", "2026-03-09"]
    changed = as_made | {"2026-03-01": {"events/2026-03-01": "another"}}
    assert sorted(chosen(flow, "sessions", changed)) == ["2026-03-01", "2026-03-05", "2026-03-09"]


def test_a_day_outside_that_was_never_done_is_done_where_it_is_made_from_a_day_within(flow_of, hand):
    flow = flow_of(hand, "2026-03-09")
    new = {"2026-03-11": {"events/2026-03-09": "x"}, "2026-03-02": {"events/2026-03-02": "x"}}
    assert chosen(flow, "sessions", new) == ["2026-03-11"]


def test_a_step_that_reads_files_keeps_to_the_days_and_what_is_no_day_is_always_done(flow_of, hand):
    flow = flow_of(hand, "2026-03-09")
    assert chosen(flow, "ingest", {"2026-03-01": {"mapped:a.csv": "new"}}) == []
    assert chosen(flow, "train", {"popular": {}}) == ["popular"]


def test_what_needs_a_failed_day_waits_and_so_does_what_is_made_of_all_days(flow_of, hand):
    flow = flow_of(hand, "2026-03-09")
    flow.trouble = Trouble()
    flow.trouble.fail(BY_NAME["sessions"], "2026-03-05", DataError("no", fix="no", code=Code.CONTRACT_BROKEN))
    pending = {day: {f"sessions/{day}": "x"} for day in ("2026-03-05", "2026-03-09")}
    assert chosen(flow, "exposures", pending) == ["2026-03-09"]
    assert chosen(flow, "daily", {"2026-03-06": {"exposures/2026-03-05": "x"}} | pending) == ["2026-03-09"]
    assert chosen(flow, "train", {"popular": {}}) == []
    assert flow.trouble.waiting["train"] == {"popular": "sessions 2026-03-05"}
    assert flow.trouble.waiting["exposures"] == {"2026-03-05": "sessions 2026-03-05"}


def test_nothing_is_planned_where_nothing_is_pending(flow_of, hand):
    flow = flow_of(hand)
    plan = look_ahead(
        flow, Span("2026-03-01", "2026-03-09"), [step for step in STEPS if step.name not in ("monitor", "track")]
    )
    assert (plan.steps, plan.through, plan.left) == ([], "2026-03-09", {})
    assert flow.through == ""
