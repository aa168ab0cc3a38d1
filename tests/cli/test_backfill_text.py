from endcap.cli.backfill_text import plan_text, result_text, spans_told
from endcap.core.errors import Code, DataError
from endcap.flows.backfill import Backfilled
from endcap.flows.backfill_plan import BackfillPlan, PlannedStep

DAYS = {"2026-01-02": "never done", "2026-01-03": "never done",
        "2026-01-05": "settings changed: a.b; follows if events/2026-01-05 changes"}  # fmt: skip


def plan(*steps):
    return BackfillPlan("2026-01-02", "2026-01-05", "2026-01-09", steps)


def test_a_plan_has_a_line_for_each_step_and_reason_and_says_where_there_is_no_estimate():
    told = plan_text(plan(PlannedStep("sessions", DAYS, ["2026-01-05"], 7, None, None, 2)))
    assert "2026-01-02..2026-01-03  no estimate" in told
    assert "settings changed: a.b; follows if what it is made from changes" in told
    assert "at most 3 partitions, 1 of them only if what is made before them changes" in told
    assert "no estimate for sessions, which were never done" in told
    assert told.endswith("left to the next `endcap refresh`, pending outside these days: sessions 2")


def test_a_plan_without_work_says_so():
    assert "nothing is pending" in plan_text(plan())


def test_failures_and_what_waits_are_named_with_their_days():
    error = DataError("torn", fix="mend it", code=Code.CONTRACT_BROKEN)
    result = Backfilled("run", plan(), (), {"ingest": {"2026-01-02": error, "2026-01-03": error}},
                        {"train": {"popular": "ingest 2026-01-02"}})  # fmt: skip
    out, err = result_text(result, shop="shop")
    assert out == ""
    assert err.startswith("failed: ingest 2026-01-02..2026-01-03: torn")
    assert "waiting: train popular for ingest 2026-01-02" in err


def test_days_in_a_row_are_put_together_and_others_are_not():
    assert spans_told(["item_markov", "popular"]) == "item_markov, popular"
    assert spans_told([""]) == "all"
