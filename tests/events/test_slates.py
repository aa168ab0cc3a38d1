from endcap.core.clock import day_start_us
from endcap.core.tables import SLATES
from endcap.engines.contracts import check_contract
from endcap.events.slates import build_slates, read_slates, slate_files

AT = day_start_us("2026-08-01") + 5
ITEM = {"item_id": "mug", "place": 1, "score": 0.5, "source": "popular", "propensity": 1.0}
SLATE = {"recommendation_id": "r1", "at_us": AT, "user_key": None, "placement": "home", "model_version": "b1",
         "variant": None, "fallback": None, "items": [ITEM, ITEM | {"item_id": "pen", "place": 2}]}  # fmt: skip


def test_each_place_is_a_row_once_and_a_torn_line_is_quarantined(tmp_path, engine, arrow_rows, write_lines):
    write_lines(tmp_path / "w0-1.jsonl", [SLATE, SLATE, '{"recommendation_id": "r'])
    write_lines(tmp_path / "w0-2.jsonl.open", [SLATE])
    paths = slate_files(tmp_path)
    slates = read_slates(paths)
    built = engine.materialise(build_slates(engine, slates))
    check_contract(engine, built, SLATES)
    rows = arrow_rows(built)
    assert [(row["date_partition"], row["place"], row["item_id"]) for row in rows] == [
        ("2026-08-01", 1, "mug"), ("2026-08-01", 2, "pen")]  # fmt: skip
    [bad] = slates.quarantine.to_pylist()
    assert (bad["reason"], bad["source_row"], bad["date_partition"]) == ("line_unreadable", 2, "2026-08-01")


def test_no_folder_means_no_slates(tmp_path, engine, arrow_rows):
    assert arrow_rows(build_slates(engine, read_slates(slate_files(tmp_path / "nowhere")))) == []
