import pytest

from endcap.core.clock import DAY_US, day_start_us
from endcap.core.tables import SLATES
from endcap.engines.contracts import check_contract
from endcap.events.slates import build_slates, read_slates, slate_files, slate_files_by_day

AT = day_start_us("2026-08-01") + 5
ITEM = {"item_id": "mug", "place": 1, "score": 0.5, "source": "popular", "propensity": 1.0}
SLATE = {"recommendation_id": "r1", "at_us": AT, "user_key": None, "placement": "home", "model_version": "b1",
         "variant": None, "fallback": None, "items": [ITEM, ITEM | {"item_id": "pen", "place": 2}]}  # fmt: skip


def test_each_place_is_a_row_once_and_a_torn_line_is_quarantined(tmp_path, engine, arrow_rows, write_lines):
    write_lines(tmp_path / f"{AT}-1-1.jsonl", [SLATE, SLATE, '{"recommendation_id": "r'])
    write_lines(tmp_path / f"{AT}-1-2.jsonl.open", [SLATE])
    paths = slate_files(tmp_path)
    slates = read_slates(paths)
    built = engine.materialise(build_slates(engine, slates))
    check_contract(engine, built, SLATES)
    rows = arrow_rows(built)
    assert [(row["date_partition"], row["place"], row["item_id"]) for row in rows] == [
        ("2026-08-01", 1, "mug"), ("2026-08-01", 2, "pen")]  # fmt: skip
    [bad] = slates.quarantine.to_pylist()
    assert (bad["reason"], bad["source_row"], bad["date_partition"]) == ("line_unreadable", 2, "slates-2026-08-01")


@pytest.mark.parametrize(
    "wrong",
    [
        {"at_us": AT - 2 * DAY_US},
        {"at_us": AT + 2 * DAY_US},
        {"at_us": 10**30},
        {"items": [ITEM | {"place": 0}]},
        {"items": [ITEM | {"place": 2**31}]},
        {"items": [ITEM | {"propensity": 1.5}]},
    ],
)
def test_a_slate_that_cannot_be_is_quarantined_whole(tmp_path, write_lines, wrong):
    write_lines(tmp_path / f"{AT}-1-1.jsonl", [SLATE | wrong])
    slates = read_slates(slate_files(tmp_path))
    assert (slates.rows.num_rows, slates.quarantine.num_rows) == (0, 1)


def test_no_folder_means_no_slates(tmp_path, engine, arrow_rows):
    assert arrow_rows(build_slates(engine, read_slates(slate_files(tmp_path / "nowhere")))) == []


def test_a_segment_may_hold_slates_of_the_day_it_began_and_of_those_beside_it(tmp_path, write_lines):
    for began in (AT, AT + 1, AT + 2 * DAY_US):
        write_lines(tmp_path / f"{began}-1-1.jsonl", [SLATE])
    found = {
        day: [int(path.name.split("-")[0]) - AT for path in paths]
        for day, paths in slate_files_by_day(tmp_path).items()
    }
    assert found == {
        "2026-07-31": [0, 1],
        "2026-08-01": [0, 1],
        "2026-08-02": [0, 1, 2 * DAY_US],
        "2026-08-03": [2 * DAY_US],
        "2026-08-04": [2 * DAY_US],
    }
    assert slate_files_by_day(tmp_path / "nowhere") == {}
