import shutil

import pyarrow.parquet as pq
import pytest

from endcap.cli.main import main
from endcap.cli.server_process import server_process

TINY = ["--days", "2", "--visitors", "30", "--items", "12"]


def test_it_writes_an_export_and_the_truth_and_says_what_is_in_them(tmp_path, capsys):
    assert main(["simulate", str(tmp_path / "out"), *TINY]) == 0
    told = capsys.readouterr()
    assert "view_item_list" in told.out
    assert "2026-01-01 to 2026-01-02: " in told.out
    assert f"next: endcap init my-shop --source {tmp_path / 'out' / 'export'}" in told.out
    assert told.err.splitlines() == ["2026-01-01, day 1 of 2", "2026-01-02, day 2 of 2"]
    assert len(list((tmp_path / "out" / "export").glob("events_*.parquet"))) == 2
    assert (tmp_path / "out" / "export" / "catalog.tsv").exists()
    assert (tmp_path / "out" / "truth" / "outcome.json").exists()


def test_what_is_there_already_is_left_as_it_is(tmp_path, capsys):
    for _ in range(2):
        assert main(["simulate", str(tmp_path / "out"), *TINY]) == 0
    assert capsys.readouterr().out.count("nothing was written") == 1


def test_every_size_of_a_preset_can_be_changed(tmp_path, capsys):
    words = ["--preset", "stationary", "--scale", "0.01", "--days", "1", "--start", "2025-06-01", "--seed", "3"]
    assert main(["simulate", str(tmp_path / "out"), *words, "--policy", "random"]) == 0
    told = capsys.readouterr().out
    assert "2025-06-01 to 2025-06-01: " in told
    assert "of 50 visitors\nlists by random: " in told


@pytest.mark.parametrize(("form", "ending"), [("segment", "jsonl"), ("csv", "csv")])
def test_the_same_events_can_be_had_in_other_formats(form, ending, tmp_path, capsys):
    assert main(["simulate", str(tmp_path / "out"), *TINY, "--format", form]) == 0
    assert "next: endcap init" in capsys.readouterr().out
    assert len(list((tmp_path / "out" / "export").glob(f"events_*.{ending}"))) == 2


def test_an_export_can_have_faults(tmp_path, capsys):
    words = [*TINY, "--faults", "duplicates=0.1", "out_of_order"]
    assert main(["simulate", str(tmp_path / "out"), *words]) == 0
    assert "\nfaults: " in capsys.readouterr().out
    truth = tmp_path / "out" / "truth" / "clean"
    rows = [sum(pq.read_metadata(path).num_rows for path in folder.glob("*.parquet")) for folder in
            (tmp_path / "out" / "export", truth)]  # fmt: skip
    assert rows[0] > rows[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--days", "0"], "days is 0, it must lie in 1..3,660 [usage]\n  where: --days"),
        (["--preset", "smal"], "did you mean 'small'?"),
        (["--policy", "populr"], "there is no policy and no folder 'populr'; did you mean 'popular'? [usage]"),
        (["--policy", "http://127.0.0.1:9"], "no server answers at http://127.0.0.1:9"),
        (["--policy", "http://"], "it is no address of a server"),
        (["--policy", "."], "there is no shop here"),
        (["--workers", "0"], "a simulation has 1 to 256 workers, not 0 [usage]"),
        (["--format", "xml"], "ga4"),
        (["--faults", "lat"], "did you mean 'late'?"),
        (["--faults", "all", "--format", "csv"], "faults are for a GA4 export"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(words, told, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["simulate", "out", *words]) == 2
    printed = capsys.readouterr()
    assert told in printed.out + printed.err
    assert list(tmp_path.iterdir()) == []


def test_a_shop_without_a_bundle_cannot_fill_lists(fresh_shop, tmp_path, capsys):
    assert main(["simulate", str(tmp_path / "out"), "--policy", str(fresh_shop)]) == 2
    assert "there is no bundle to serve yet [bundle-missing]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_shop_fills_the_lists_by_its_folder_or_by_its_server(tiny_shop, tmp_path, capsys):
    served = shutil.copytree(tiny_shop, tmp_path / "served")
    before = sorted(path.relative_to(served) for path in served.rglob("*"))
    words = ["--days", "1", "--visitors", "30", "--items", "40", "--start", "2026-01-05"]
    assert main(["simulate", str(tmp_path / "one"), *words, "--policy", str(served)]) == 0
    assert f"lists by {served}: " in capsys.readouterr().out
    assert sorted(path.relative_to(served) for path in served.rglob("*")) == before  # it learns nothing of it
    assert main(["simulate", str(tmp_path / "one"), *words, "--policy", str(served)]) == 0
    assert "all of it was there already" in capsys.readouterr().out
    again = shutil.copytree(tiny_shop, tmp_path / "again")
    with server_process(again) as address:
        assert main(["simulate", str(tmp_path / "other"), *words, "--policy", address]) == 0
    name = "export/events_20260105.parquet"
    assert pq.read_table(tmp_path / "one" / name).equals(pq.read_table(tmp_path / "other" / name))
