import json

import pyarrow.parquet as pq
import pytest

from endcap.simulation.formats import FORMATS, write_events
from endcap.simulation.policies import Popular
from endcap.simulation.settings import make_world
from endcap.simulation.shop import day_alone, simulate

WORLD = make_world("small", days=2, visitors=40, items=12)


@pytest.fixture(scope="module")
def rows():
    [tables] = day_alone(WORLD, Popular(), 1)
    return tables


@pytest.mark.parametrize(("form", "name"), [("ga4", "day.parquet"), ("segment", "day.jsonl"), ("csv", "day.csv")])
def test_each_format_writes_one_file_with_all_events(rows, tmp_path, form, name):
    write_events(tmp_path / "day", rows, form)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    num_events = sum(table.num_rows for table in rows)
    if form == "ga4":
        assert pq.read_table(tmp_path / name).num_rows == num_events
    elif form == "segment":
        assert len([json.loads(line) for line in (tmp_path / name).read_text().splitlines()]) == num_events
    else:
        assert len({line.split(",")[2] for line in (tmp_path / name).read_text().splitlines()[1:]}) == num_events


def test_bigquerys_json_has_whole_numbers_as_text_and_no_nulls(rows, tmp_path):
    write_events(tmp_path / "day", rows, "ga4-json")
    told = [json.loads(line) for line in (tmp_path / "day.jsonl").read_text().splitlines()]
    assert len(told) == sum(table.num_rows for table in rows)
    assert all(event["event_timestamp"].isdigit() and None not in event.values() for event in told)
    quantities = {item["quantity"] for event in told for item in event["items"] if "quantity" in item}
    assert quantities <= {"1", "2", "3", "4", "5", "6"}
    assert isinstance(told[0]["items"][0]["price"], float)


def test_interactions_name_who_what_when_and_leave_lists_out(rows, tmp_path):
    write_events(tmp_path / "day", rows, "personalize")
    header, *lines = (tmp_path / "day.csv").read_text().replace('"', "").splitlines()
    assert header == "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,RECOMMENDATION_ID"
    assert lines
    assert not any("view_item_list" in line for line in lines)
    assert all(len(line.split(",")[2]) == 10 for line in lines)


@pytest.mark.parametrize("form", FORMATS)
def test_a_world_can_be_handed_over_in_each_format(tmp_path, form):
    made = simulate(WORLD, tmp_path / "shop", Popular(), form=form)
    assert len([path for path in made.export.iterdir() if path.name.startswith("events_")]) == WORLD.days
    assert (made.export / "catalog.tsv").exists()
