import pytest

from endcap.core.clock import fixed_clock
from endcap.core.tables import BOTS, ELEMENTS, EVENTS, IDENTITIES, LOGINS, SESSIONS
from endcap.flows.refresh import refresh

DATA = ("ingest", "sessionize", "featurize")
FIRST, LATER = fixed_clock("2026-03-10T12:00:00"), fixed_clock("2026-03-10T13:00:00")
RULES = "[identities.bots]\nmost_events_a_minute = 4\n"
WEEK = {
    "2026-03-01": ["10:00,d1,,view_item,A", "10:02,d1,ann,view_item,B"],
    "2026-03-02": ["10:00,d1,,view_item,C", "10:01,d2,,view_item,A", "23:55,d2,,view_item,B"],
    "2026-03-03": ["00:05,d2,ann,view_item,C", *["11:00,bot,,view_item,A"] * 2, *["11:00,bot,,view_item,B"] * 3],
}


def write_day(root, day, lines):
    rows = [f"{day}-{number},{day} {line}" for number, line in enumerate(lines)]
    (root / "export" / f"{day}.csv").write_text("event_id,at,device,user,event,item\n" + "\n".join(rows) + "\n")


@pytest.fixture
def shop(tmp_path, make_hand_made):
    """A shop of three days on which ann has two devices, and a bot comes."""
    root = make_hand_made(tmp_path / "shop", {})
    config = root / "endcap.toml"
    text = config.read_text().replace(
        'device_id = "user"', 'device_id = "device"\nuser_id = "user"\nevent_id = "event_id"'
    )
    config.write_text(text + RULES)
    for day, lines in WEEK.items():
        write_day(root, day, [line.replace(",", ":00,", 1) for line in lines])
    refresh(root, verbs=DATA, clock=FIRST)
    return root


def test_sessions_are_of_people_and_what_a_bot_did_stays_in_events_alone(shop, rows_of):
    users = {row["user_key"] for row in rows_of(shop, LOGINS)}
    assert len(users) == 1
    by_day = {}
    for row in rows_of(shop, SESSIONS):
        by_day.setdefault(row["date_partition"], []).append((row["user_key"] in users, row["num_views"]))
    # The visit of d2 that goes on after midnight, when she logs in, began when nobody knew that it was hers.
    assert {day: sorted(found) for day, found in by_day.items()} == {
        "2026-03-01": [(True, 2)],
        "2026-03-02": [(False, 1), (False, 1), (True, 1)],
        "2026-03-03": [(True, 1)],
    }
    [bot] = rows_of(shop, BOTS)
    assert (bot["rule"], bot["num_events"]) == ("events_a_minute", 5)
    assert sum(row["user_key"] == bot["user_key"] for row in rows_of(shop, EVENTS)) == 5
    assert not any(row["user_key"] == bot["user_key"] for row in rows_of(shop, ELEMENTS))
    assert [row["evidence"] for row in rows_of(shop, IDENTITIES)] == [
        "later_the_same_day", "login", "earlier_login",
    ]  # fmt: skip


def test_a_backfill_makes_the_days_anew_that_it_changes(shop, rows_of, flow_of):
    config = shop / "endcap.toml"
    config.write_text(config.read_text() + '[identities]\nrestitched_through = "2026-03-03"\n')
    told = refresh(shop, verbs=DATA, clock=LATER)
    ran = {row["step"]: row["partitions"] for row in flow_of(shop).ledger.attempts(run_id=told.run_id)}
    assert "ingest" not in ran
    ann = {row["user_key"] for row in rows_of(shop, LOGINS)}
    assert {row["user_key"] for row in rows_of(shop, SESSIONS)} == ann
    assert [row["num_views"] for row in rows_of(shop, SESSIONS, ["2026-03-02"])] == [2, 2]


def test_a_late_login_does_again_only_what_it_touches(shop, flow_of):
    before = flow_of(shop).ledger.parts(SESSIONS.name)
    write_day(shop, "2026-02-27", ["10:00:00,d9,bob,view_item,A"])
    told = refresh(shop, verbs=DATA, clock=LATER)
    ran = {row["step"]: row["partitions"] for row in flow_of(shop).ledger.attempts(run_id=told.run_id)}
    assert ran["identities"] == ["2026-02-27", *WEEK]  # who has d9 now may have sent something on these days
    assert ran["sessions"] == ["2026-02-27", "2026-03-01"]
    after = flow_of(shop).ledger.parts(SESSIONS.name)
    assert {day: part.version for day, part in after.items() if day in WEEK} == {
        day: part.version for day, part in before.items()
    }
