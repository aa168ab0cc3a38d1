from endcap.core.tables import EVENTS, SESSIONS
from endcap.flows.foresight import FORESEEN, ForesightLedger, is_foreseen
from endcap.flows.steps import STEPS

STEP = next(step for step in STEPS if step.name == "sessions")


def test_what_is_foreseen_counts_as_made_and_nothing_is_written(flow_of, hand):
    flow = flow_of(hand)
    before = flow.ledger.parts(SESSIONS.name)
    ledger = ForesightLedger(flow.ledger.catalog, flow.ledger.scope)
    ledger.foresee(STEP, ["2026-03-05", "2026-03-07"])
    seen = ledger.parts(SESSIONS.name)
    assert seen["2026-03-05"].rows == before["2026-03-05"].rows
    assert seen["2026-03-07"].rows == 1
    assert is_foreseen({"sessions/2026-03-07": seen["2026-03-07"].digest})
    assert not is_foreseen({"sessions/2026-03-01": seen["2026-03-01"].digest})
    ledger.forget("sessions")
    ledger.lose(EVENTS.name, ["ingest"])
    ledger.sources.keep_files([])
    ledger.sources.keep_schemas([])
    assert flow.ledger.parts(SESSIONS.name) == before
    assert flow.ledger.fingerprints("sessions")
    assert flow.ledger.sources.files()


def test_a_day_whose_writer_was_killed_will_be_made(flow_of, hand):
    flow = flow_of(hand)
    ledger = ForesightLedger(
        flow.ledger.catalog, flow.ledger.scope, lost=frozenset({"sessions"}), lost_steps=frozenset({"sessions"})
    )
    assert (ledger.parts(SESSIONS.name), ledger.fingerprints("sessions")) == ({}, {})
    ledger.foresee(next(step for step in STEPS if step.name == "train"), ["popular"])
    assert ledger.outputs("train")["popular"]["version"] == FORESEEN
