from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from endcap.core.tables import EVENTS
from endcap.flows.chunks import Sizes, cut, halves
from endcap.flows.ledger import Part
from endcap.flows.steps import STEPS

ROWS = st.dictionaries(st.from_regex(r"\A2026-0[1-9]-[0-2][1-9]\Z"), st.integers(0, 50), max_size=30)


@given(ROWS, st.integers(1, 60), st.integers(1, 4))
def test_every_partition_is_in_one_chunk_in_order_and_no_chunk_of_several_is_too_large(rows, most, parallel):
    chunks = cut(rows, rows_at_once=most, parallel=parallel)
    assert [each for chunk in chunks for each in chunk] == sorted(rows)
    assert all(len(chunk) == 1 or sum(rows[each] for each in chunk) <= most for chunk in chunks)


def test_several_processes_have_a_chunk_each():
    assert len(cut({f"2026-01-0{day}": 10 for day in range(1, 9)}, rows_at_once=10**6, parallel=2)) == 4


def test_halves_are_the_whole():
    assert halves(["a", "b", "c"]) == [["a"], ["b", "c"]]


def test_rows_are_those_of_the_same_day_else_of_a_day_on_average(flow_of, hand):
    flow = flow_of(hand)
    sizes, step = Sizes(flow), next(step for step in STEPS if step.name == "sessions")
    own = {"events/2026-03-05": "x", "events/2026-03-01": "x"}
    rows = {day: part.rows for day, part in flow.ledger.parts(EVENTS.name).items()}
    assert sizes.rows(step, "2026-03-05", own) == rows["2026-03-05"]
    assert sizes.rows(step, "2026-03-06", own) == (rows["2026-03-05"] + rows["2026-03-01"]) // 2
    assert sizes.rows_in({"a": own, "b": own}) == rows["2026-03-05"] + rows["2026-03-01"]
    assert sizes.rows(step, "2026-03-06", {"counts": "x"}) == 0
    ingest = next(step for step in STEPS if step.name == "ingest")
    assert sizes.rows(ingest, "2026-03-05", {}) == 4
    assert Part("", 0, 0).rows == 0


def test_a_row_that_comes_to_many_counts_as_many_where_days_are_cut(flow_of, hand):
    flow = flow_of(hand)
    sizes, step = Sizes(flow), replace(STEPS[-1], name="any", rows_each={"sessions": 20})
    named = {"sessions/2026-03-05": "x", "events/2026-03-05": "x"}
    rows = {table: flow.ledger.parts(table)["2026-03-05"].rows for table in ("sessions", "events")}
    assert min(rows.values()) > 0
    assert sizes.held(step, "2026-03-05", named) == 20 * rows["sessions"] + rows["events"]
    assert sizes.rows(step, "2026-03-05", named) == sum(rows.values())


def test_each_table_whose_rows_count_as_many_is_one_that_the_step_is_made_from(flow_of, hand):
    flow = flow_of(hand)
    for step in STEPS:
        read = (
            {name.split("/")[0] for inputs in step.plan(flow).values() for name in inputs} if step.rows_each else set()
        )
        assert set(step.rows_each) <= read
