"""Most of it on the shop of three days of March, four days apart, that the fixture `hand` makes.

| day | user | does |
| 1   | u1   | views A, then B |
| 5   | u1   | views C and puts it into the cart |
| 5   | u2   | views A, then B |
| 9   | u2   | views B, then C, and "dances", which is no event |
"""

import json
import shutil

import msgspec
import pytest

from endcap.core.clock import day_start_us, fixed_clock
from endcap.core.errors import Code, DataError, SourceError
from endcap.core.landed import LandedEvent
from endcap.core.tables import EVENTS, QUARANTINE, SLATES
from endcap.flows.intake_steps import plan_ingest
from endcap.flows.refresh import refresh

DATA = ("ingest", "sessionize", "featurize")
LATER = fixed_clock("2026-03-10T13:00:00")


@pytest.fixture
def own_hand(tmp_path, hand):
    return shutil.copytree(hand, tmp_path / "hand")


@pytest.fixture
def versions(versions):
    """Without the table quality, which counts duplicates too."""
    return lambda root: {name: version for name, version in versions(root).items() if name != "quality"}


def land(root, kind, name, *lines):
    folder = root / "landing" / kind
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines))


def event(number, at, item_id):
    return {
        "event_id": f"{number:032x}", "event_name": "view_item", "at_us": day_start_us("2026-03-09") + at,
        "user_key": "ab" * 16, "items": [{"item_id": item_id}],
    }  # fmt: skip


def test_events_that_are_there_already_change_nothing(own_hand, versions, flow_of):
    written = versions(own_hand)
    export = own_hand / "export"
    shutil.copy(export / "2026-03-05.csv", export / "copy.csv")
    told = refresh(own_hand, verbs=DATA, clock=LATER)
    assert versions(own_hand) == written
    assert [row["step"] for row in flow_of(own_hand).ledger.attempts(run_id=told.run_id)][::-1] == ["ingest", "quality"]


def items_of(rows):
    return sorted((row["at_us"] // 60_000_000 % 1440, row["item_id"]) for row in rows)


@pytest.fixture
def archived(own_hand, write_day):
    """That shop after a view of D on the fifth came in another file, and the first file of the day was archived."""
    write_day(own_hand, "2026-03-05", "12:00 u3 view_item D", name="late")
    refresh(own_hand, verbs=("ingest",), clock=LATER)
    (own_hand / "export" / "2026-03-05.csv").rename(own_hand / "archive.csv")
    return own_hand


@pytest.mark.parametrize("reread", ["", "max_bad_share = 0.4"])
def test_events_of_a_file_that_is_gone_stay_whatever_the_settings_are_now(reread, archived, rows_of, versions):
    written = versions(archived)
    settings = (archived / "endcap.toml").read_text()
    (archived / "endcap.toml").write_text(settings.replace("max_bad_share = 0.5", reread or "max_bad_share = 0.5"))
    reports = refresh(archived, verbs=("ingest",), clock=LATER).steps
    assert [report.partitions for report in reports if report.step == "ingest"] == [2 if reread else 0]
    assert versions(archived) == written
    assert [item for _, item in items_of(rows_of(archived, EVENTS, ["2026-03-05"]))] == ["C", "C", "A", "B", "D"]


def test_a_day_of_which_one_file_is_gone_and_another_changed_is_refused(archived, write_day, versions):
    written = versions(archived)
    write_day(archived, "2026-03-05", "12:00 u3 view_item D\n12:01 u3 view_item A", name="late")
    with pytest.raises(SourceError, match=r"2026-03-05\.csv of 2026-03-05 is gone .* late\.csv of that day") as caught:
        refresh(archived, verbs=("ingest",), clock=LATER)
    assert (caught.value.code, "--again ingest" in caught.value.fix) == (Code.SOURCE_MISSING, True)
    assert versions(archived) == written
    (archived / "archive.csv").rename(archived / "export" / "2026-03-05.csv")
    refresh(archived, verbs=("ingest",), clock=LATER)
    assert versions(archived) == written | {"events": written["events"] + 1}


def test_a_file_that_came_under_another_name_is_refused_until_the_step_is_done_again(own_hand, write_day, rows_of):
    (own_hand / "export" / "2026-03-05.csv").unlink()
    write_day(own_hand, "2026-03-05", "12:00 u3 view_item D", name="2026-03-05_v2")
    with pytest.raises(SourceError, match=r"2026-03-05\.csv of .* gone .*2026-03-05_v2\.csv"):
        refresh(own_hand, verbs=("ingest",), clock=LATER)
    refresh(own_hand, verbs=("ingest",), again=("ingest",), clock=LATER)
    assert items_of(rows_of(own_hand, EVENTS, ["2026-03-05"])) == [(720, "D")]
    assert {report.state for report in refresh(own_hand, verbs=("ingest",), clock=LATER).steps} == {"unchanged"}


def test_a_day_all_of_whose_files_are_gone_stays_even_when_the_step_is_done_again(archived, rows_of, write_day):
    (archived / "export" / "late.csv").unlink()
    refresh(archived, verbs=("ingest",), again=("ingest",), clock=LATER)
    assert len(rows_of(archived, EVENTS, ["2026-03-05"])) == 5
    assert {report.state for report in refresh(archived, verbs=("ingest",), clock=LATER).steps} == {"unchanged"}
    write_day(archived, "2026-03-05", "13:00 u3 view_item E", name="later")
    with pytest.raises(SourceError, match="of 2026-03-05 are gone"):
        refresh(archived, verbs=("ingest",), clock=LATER)


def test_a_bad_file_that_was_refused_and_moved_away_is_not_missed(own_hand, write_day):
    write_day(own_hand, "2026-03-05", "12:00 u3 view_item A\n" + "12:01 u3 dance A\n" * 30, name="bad")
    with pytest.raises(DataError):
        refresh(own_hand, verbs=("ingest",), clock=LATER)
    (own_hand / "export" / "bad.csv").unlink()
    assert {report.state for report in refresh(own_hand, verbs=("ingest",), clock=LATER).steps} == {"unchanged"}


def test_a_corrected_setting_of_the_reader_is_heeded_though_the_files_are_the_same(tmp_path, make_hand_made, rows_of):
    root = make_hand_made(tmp_path / "epoch", {})
    at_ms = day_start_us("2026-03-05") // 1000
    (root / "export" / "all.csv").write_text(f"at,event,user,item\n{at_ms},view_item,u1,A\n")
    with pytest.raises(DataError, match="at_out_of_range"):  # milliseconds are no microseconds
        refresh(root, verbs=("ingest",), clock=LATER)
    toml = (root / "endcap.toml").read_text()
    (root / "endcap.toml").write_text(toml.replace('time = "at"', 'time = "at"\ntime_unit = "ms"'))
    refresh(root, verbs=("ingest",), clock=LATER)
    assert items_of(rows_of(root, EVENTS, ["2026-03-05"])) == [(0, "A")]


def test_events_are_on_one_day_alone_after_the_time_zone_was_corrected(tmp_path, make_hand_made, rows_of, flow_of):
    root = make_hand_made(tmp_path / "zone", {"2026-07-02": "00:30 u1 view_item A"})
    clock = fixed_clock("2026-07-10T12:00:00")
    refresh(root, verbs=("ingest",), clock=clock)
    assert flow_of(root).days(EVENTS) == ["2026-07-02"]
    toml = (root / "endcap.toml").read_text()
    (root / "endcap.toml").write_text(toml.replace('time = "at"', 'time = "at"\ntimezone = "Europe/London"'))
    refresh(root, verbs=("ingest",), clock=clock)
    assert flow_of(root).days(EVENTS) == ["2026-07-01"]
    assert items_of(rows_of(root, EVENTS)) == [(23 * 60 + 30, "A")]
    assert {report.state for report in refresh(root, verbs=("ingest",), clock=clock).steps} == {"unchanged"}


def test_an_event_of_the_future_stops_nothing_and_is_taken_in_when_it_is_believed(
    own_hand, write_day, flow_of, rows_of
):
    write_day(own_hand, "2026-03-11", "14:00 u1 view_item D", name="ahead")  # a day and an hour ahead
    refresh(own_hand, verbs=("ingest",), clock=LATER)
    [waits] = rows_of(own_hand, QUARANTINE, ["2026-03-11"])
    assert (waits["reason"], "2026-03-11" in flow_of(own_hand).days(EVENTS)) == ("at_in_future", False)
    assert {report.state for report in refresh(own_hand, verbs=("ingest",), clock=LATER).steps} == {"unchanged"}
    refresh(own_hand, verbs=("ingest",), clock=fixed_clock("2026-03-11T08:00:00"))
    assert items_of(rows_of(own_hand, EVENTS, ["2026-03-11"])) == [(14 * 60, "D")]
    assert rows_of(own_hand, QUARANTINE, ["2026-03-11"]) == []


def test_an_event_of_no_day_but_the_future_leaves_quarantine_when_its_day_comes(own_hand, write_day, rows_of):
    write_day(own_hand, "2026-03-20", "14:00 u1 view_item D", name="ahead")
    refresh(own_hand, verbs=("ingest",), clock=LATER)
    assert [row["reason"] for row in rows_of(own_hand, QUARANTINE, ["1970-01-01"])] == ["at_in_future"]
    refresh(own_hand, verbs=("ingest",), clock=fixed_clock("2026-03-21T08:00:00"))
    assert items_of(rows_of(own_hand, EVENTS, ["2026-03-20"])) == [(14 * 60, "D")]
    assert rows_of(own_hand, QUARANTINE, ["1970-01-01"]) == []


def test_an_event_of_tomorrow_stands_in_its_own_day_beside_what_tomorrow_brings(own_hand, write_day, rows_of):
    write_day(own_hand, "2026-03-11", "09:00 u1 view_item D", name="ahead")
    refresh(own_hand, verbs=("ingest",), clock=LATER)
    assert items_of(rows_of(own_hand, EVENTS, ["2026-03-11"])) == [(9 * 60, "D")]
    write_day(own_hand, "2026-03-11", "10:00 u2 view_item E")
    refresh(own_hand, verbs=("ingest",), clock=fixed_clock("2026-03-12T08:00:00"))
    assert items_of(rows_of(own_hand, EVENTS, ["2026-03-11"])) == [(9 * 60, "D"), (10 * 60, "E")]


def test_a_copy_that_comes_late_from_over_midnight_is_counted_once(own_hand, rows_of):
    def write(name, at):
        line = f"at,event,user,item,id\n{at},view_item,u9,D,one\n"
        (own_hand / "export" / f"{name}.csv").write_text(line)

    toml = (own_hand / "endcap.toml").read_text()
    (own_hand / "endcap.toml").write_text(toml.replace('files = "*.csv"', 'files = "x*.csv"\nevent_id = "id"'))
    write("x2", "2026-03-07T00:00:00")
    refresh(own_hand, verbs=("ingest",), clock=LATER)
    write("x1", "2026-03-06T23:59:59")  # the copy that stays: its file's name comes first
    refresh(own_hand, verbs=("ingest",), clock=LATER)
    assert items_of(rows_of(own_hand, EVENTS, ["2026-03-06", "2026-03-07"])) == [(1439, "D")]


def test_every_row_read_is_counted_and_a_bad_one_is_in_quarantine(hand, rows_of, flow_of):
    (bad,) = rows_of(hand, QUARANTINE)
    assert (bad["date_partition"], bad["event_name"], bad["source_row"]) == ("2026-03-09", "dance", 2)
    counts = flow_of(hand).ledger.outputs("ingest")["2026-03-09"]["counts"]
    assert (counts["view_item"]["rows_read"], counts["view_item"]["rows_kept"]) == (2, 2)
    assert counts["dance"]["rows_read"] == counts["dance"][f"rows_quarantined:{bad['reason']}"] == 1


@pytest.mark.parametrize(("through", "days"), [("", 3), ("2026-03-09", 3), ("2026-03-08", 2), ("2026-02-28", 0)])
def test_days_after_the_last_one_asked_for_are_not_planned(through, days, hand, flow_of):
    assert list(plan_ingest(flow_of(hand, through))) == ["2026-03-01", "2026-03-05", "2026-03-09"][:days]


def test_a_plan_in_which_every_file_is_known_needs_no_engine(hand, flow_of):
    flow = flow_of(hand)
    flow.make_engine = lambda: pytest.fail("an engine was made")
    assert len(plan_ingest(flow)) == 3


def test_what_the_server_has_logged_is_taken_in_where_its_segment_is_complete(own_hand, rows_of):
    land(own_hand, "events", "w0-1.jsonl", event(1, 5, "A"), event(1, 5, "A"))
    land(own_hand, "events", "w0-2.jsonl.open", event(2, 6, "B"))
    refresh(own_hand, verbs=("ingest",), clock=LATER)
    landed = [row for row in rows_of(own_hand, EVENTS, ["2026-03-09"]) if row["user_key"] == "ab" * 16]
    assert [(row["event_id"], row["item_id"]) for row in landed] == [(f"{1:032x}", "A")]


def slate(name, day, at=0):
    items = [
        {"item_id": item, "place": place, "score": 1.0 / place, "source": "popular", "propensity": 1.0}
        for place, item in enumerate("BA", 1)
    ]
    at_us = day_start_us(day) + at
    return {"recommendation_id": name, "at_us": at_us, "placement": "home", "model_version": "b1", "items": items}


def segment(day, number=1):
    return f"{day_start_us(day):016d}-7-{number}.jsonl"


def test_slates_that_the_server_has_logged_become_a_row_a_place(own_hand, rows_of, versions):
    day = "2026-03-09"
    land(own_hand, "slates", segment(day), slate("r1", day), slate("r1", day))
    refresh(own_hand, verbs=("ingest",), clock=LATER)
    told = [(row["recommendation_id"], row["place"], row["item_id"]) for row in rows_of(own_hand, SLATES, [day])]
    assert told == [("r1", 1, "B"), ("r1", 2, "A")]
    written = versions(own_hand)
    assert {report.state for report in refresh(own_hand, verbs=("ingest",), clock=LATER).steps} == {"unchanged"}
    land(own_hand, "slates", segment(day, 2), slate("r2", day))
    refresh(own_hand, verbs=("ingest",), clock=LATER)
    assert len(rows_of(own_hand, SLATES, [day])) == 4
    assert versions(own_hand) == written | {"slates": written["slates"] + 1}


def test_new_slates_do_again_only_the_days_that_their_segment_may_hold(own_hand, rows_of, flow_of):
    land(own_hand, "slates", segment("2026-03-05"), slate("r1", "2026-03-05"), slate("r2", "2026-03-06"), {"torn": 1})
    refresh(own_hand, verbs=("ingest",), clock=LATER)
    land(own_hand, "slates", segment("2026-03-07"), slate("r3", "2026-03-06", at=9), slate("r4", "2026-03-07"))
    refresh(own_hand, verbs=("ingest",), clock=LATER)
    [attempt] = flow_of(own_hand).ledger.attempts(limit=1)
    assert attempt["partitions"] == ["2026-03-06", "2026-03-07", "2026-03-08"]
    slates = {(row["date_partition"], row["recommendation_id"]) for row in rows_of(own_hand, SLATES)}
    assert slates == {("2026-03-05", "r1"), ("2026-03-06", "r2"), ("2026-03-06", "r3"), ("2026-03-07", "r4")}
    assert [row["source_row"] for row in rows_of(own_hand, QUARANTINE, ["slates-2026-03-05"])] == [2]


def test_a_torn_line_of_slates_is_quarantined_and_stops_nothing(own_hand, rows_of):
    land(own_hand, "slates", segment("2026-03-09"), {"recommendation_id": "r1"})
    refresh(own_hand, verbs=("ingest",), clock=LATER)
    assert [row["source_file"] for row in rows_of(own_hand, QUARANTINE, ["slates-2026-03-09"])] == [
        segment("2026-03-09")
    ]


def test_slates_of_a_segment_that_is_gone_stay(own_hand, rows_of):
    day = "2026-03-09"
    land(own_hand, "slates", segment(day), slate("r1", day))
    land(own_hand, "slates", segment(day, 2), slate("r2", day))
    refresh(own_hand, verbs=("ingest",), clock=LATER)
    (own_hand / "landing" / "slates" / segment(day)).unlink()
    assert {report.state for report in refresh(own_hand, verbs=("ingest",), clock=LATER).steps} == {"unchanged"}
    land(own_hand, "slates", segment(day, 3), slate("r3", day))
    with pytest.raises(SourceError, match=r"7-1\.jsonl of 2026-03-08 is gone .*7-3\.jsonl") as caught:
        refresh(own_hand, verbs=("ingest",), clock=LATER)
    assert "--again slates" in caught.value.fix
    refresh(own_hand, verbs=("ingest",), again=("slates",), clock=LATER)
    assert {row["recommendation_id"] for row in rows_of(own_hand, SLATES)} == {"r2", "r3"}


def test_a_refresh_through_days_that_were_left_empty_has_nothing_to_read(tmp_path, make_hand_made, flow_of):
    root = make_hand_made(
        tmp_path / "hand", {"2026-03-01": "10:00 u1 view_item A", "2026-03-08": "10:00 u1 view_item A"}
    )
    refresh(root, verbs=DATA, clock=LATER)
    file = root / "export" / "2026-03-01.csv"
    file.write_text(file.read_text().replace("2026-03-01", "2026-03-08"))
    with pytest.raises(DataError) as caught:
        refresh(root, verbs=DATA, through="2026-03-02", clock=LATER)
    assert caught.value.code is Code.DAY_NOT_READY
    assert not flow_of(root).ledger.parts("events")["2026-03-01"].rows


def test_an_event_of_long_ago_for_an_archived_day_stops_nothing(own_shop, flow_of, morning):
    before = flow_of(own_shop).ledger.parts("events")
    (own_shop / "export" / "events_20260101.parquet").unlink()
    segment = own_shop / "landing" / "events" / f"{day_start_us('2026-01-05'):016d}-1-1.jsonl"
    segment.parent.mkdir(parents=True)
    at_us = day_start_us("2026-01-01") + 1
    late = LandedEvent(event_id="e" * 32, event_name="view_item", at_us=at_us, user_key="a" * 32)
    segment.write_bytes(msgspec.json.encode(late) + b"\n")
    refresh(own_shop, clock=morning)
    assert flow_of(own_shop).ledger.parts("events") == before
