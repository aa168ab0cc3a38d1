import shutil

import pytest

from endcap.core.clock import fixed_clock
from endcap.core.errors import Code, DataError
from endcap.core.tables import EVENTS, QUALITY
from endcap.flows.intake import intake_rows
from endcap.flows.ledger import AttemptStart
from endcap.flows.quality_steps import PAGE, quality_of
from endcap.flows.refresh import refresh
from endcap.flows.steps import STEPS
from endcap.stores.tables import Fence

LATER = fixed_clock("2026-03-10T13:00:00")


@pytest.fixture
def own_hand(tmp_path, hand):
    return shutil.copytree(hand, tmp_path / "hand")


def state_of(told):
    return {step.step: (step.state, step.partitions) for step in told.steps}["quality"]


def test_the_profile_counts_what_the_events_hold(tiny_shop, rows_of):
    rows, numbers = rows_of(tiny_shop, EVENTS), rows_of(tiny_shop, QUALITY)
    assert {row["date_partition"] for row in numbers} == {row["date_partition"] for row in rows}
    for row in numbers:
        own = [each for each in rows if each["date_partition"] == row["date_partition"]
               and row["event_name"] in ("", each["event_name"])]  # fmt: skip
        by_hand = {
            "events": lambda own: len({each["event_id"] for each in own}),
            "rows": len,
            "visitors": lambda own: len({each["user_key"] for each in own}),
            "items": lambda own: len({each["item_id"] for each in own if each["item_id"]}),
            "missing": lambda own, column=row["column_name"]: sum(each[column] is None for each in own),
        }
        if row["measure"] in by_hand:
            assert row["value"] == by_hand[row["measure"]](own), row


def test_the_intake_agrees_with_what_became_of_every_row(hand, flow_of, rows_of):
    told = {}
    for row in rows_of(hand, QUALITY):
        kind, _, name = row["measure"].partition(":")
        if kind == "intake":
            told[row["event_name"], name] = told.get((row["event_name"], name), 0) + row["value"]
    shown = {
        (row["event_name"], name): count
        for row in intake_rows(flow_of(hand).ledger)
        for name, count in row.items()
        if name != "event_name" and count
    }
    assert told == shown


def test_a_late_event_opens_its_own_day_alone(own_hand, write_day):
    write_day(own_hand, "2026-03-05", "12:00 u3 view_item D", name="late")
    assert state_of(refresh(own_hand, verbs=("ingest",), clock=LATER)) == ("done", 1)
    assert state_of(refresh(own_hand, verbs=("ingest",), clock=LATER)) == ("unchanged", 0)


def test_a_page_that_is_gone_is_made_again_to_the_byte(own_hand):
    page = own_hand / "reports" / PAGE
    before = page.read_bytes()
    page.unlink()
    assert state_of(refresh(own_hand, verbs=("ingest",), clock=LATER)) == ("done", 1)
    assert page.read_bytes() == before
    assert b"2026-03-09" in before


def test_a_day_without_a_profile_is_refused_with_those_there_are(hand, flow_of):
    with pytest.raises(DataError, match="2026-03-04 has no profile") as caught:
        quality_of(flow_of(hand), "2026-03-04")
    assert caught.value.code is Code.DAY_NOT_READY
    assert quality_of(flow_of(hand), "2026-03-05").report.day == "2026-03-05"


def test_no_id_of_a_person_is_in_the_page(hand, rows_of):
    page = (hand / "reports" / PAGE).read_text()
    assert not any(row["user_key"] in page for row in rows_of(hand, EVENTS))


@pytest.mark.parametrize(
    "step",
    [step for step in STEPS if step.by_day and step.writes and step.name != "slates"],
    ids=lambda step: step.name,
)
def test_a_day_whose_writer_was_killed_is_completed_on_a_shop_with_days_before(own_hand, flow_of, step):
    flow = flow_of(own_hand)
    parts = {table.name: flow.ledger.parts(table.name) for table in step.writes}
    written = {name: max(found) for name, found in parts.items() if found}
    killed = AttemptStart(
        "run-0", "os_user:ann", step.name, dict.fromkeys(written.values(), "f"), {}, "c", "d", "0", 0.0
    )
    attempt = flow.ledger.start(killed, Fence(flow.ledger.lease_name(step.name), 10**6))
    for name, day in written.items():
        flow.ledger.writing(attempt, name, [day])
    refresh(own_hand, verbs=("ingest", "sessionize", "featurize"), clock=LATER)
    assert {name: flow.ledger.parts(name)[day].digest for name, day in written.items()} == {
        name: parts[name][day].digest for name, day in written.items()
    }
