from endcap.flows.ledger import Part, Scope
from endcap.flows.replay_ledger import ReplayLedger


def test_what_was_known_then_stands_beside_what_is_made_again(catalog):
    ledger = ReplayLedger(catalog, Scope("local", "tiny", "local"))
    assert (ledger.parts("events"), ledger.outputs("train")) == ({}, {})
    ledger.past_parts = {"events": {"2026-01-02": Part("two", 2, 5), "2026-01-03": Part("three", 3, 5)}}
    ledger.past_outputs = {"train": {"popular": {"version": "v"}}}
    ledger.wrote("events", {"2026-01-01": Part("one", 1, 5), "2026-01-03": Part("made", 4, 5)})
    assert [part.digest for part in ledger.parts("events").values()] == ["one", "two", "made"]
    assert ledger.outputs("train") == {"popular": {"version": "v"}}
    assert ledger.parts("sessions") == {}
