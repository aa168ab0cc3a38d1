import json

import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from endcap.cli.main import main
from endcap.testing.leaky_frame import FRAME_MISTAKES, clean_frame

ROLES = ["--label", "bought", "--at", "at_us", "--id", "session_id", "--split", "part", "--known-at", "label_known_us"]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("frames") / "frame.parquet"
    pq.write_table(FRAME_MISTAKES["session length as a feature of its steps"].make(clean_frame()), path)
    return path


def test_a_refreshed_shop_says_that_nothing_was_found(tiny_shop, capsys):
    assert main(["leakage", str(tiny_shop)]) == 0
    assert capsys.readouterr().out.startswith("no findings: ")
    assert main(["leakage", str(tiny_shop), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []


def test_a_finding_is_told_with_what_to_do(file, capsys):
    assert main(["leakage", str(file), *ROLES]) == 0
    text = capsys.readouterr().out
    assert "column-aggregates-later-rows" in text
    assert "frame.session_length" in text
    assert "  fix: " in text


def test_json_holds_the_same(file, capsys):
    assert main(["leakage", str(file), *ROLES, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert (found["name"], found["column"]) == ("column-aggregates-later-rows", "session_length")


def test_text_files_are_read_too(tmp_path, capsys):
    pyarrow.csv.write_csv(clean_frame(), tmp_path / "frame.csv")
    assert main(["leakage", str(tmp_path / "frame.csv"), *ROLES]) == 0
    assert capsys.readouterr().out.startswith("no findings: ")


def test_what_does_not_fit_is_refused(tiny_shop, file, capsys):
    assert main(["leakage", str(tiny_shop), "--label", "bought"]) == 2
    assert "for a file" in capsys.readouterr().err
    assert main(["leakage", str(file)]) == 2
    assert "--label COLUMN" in capsys.readouterr().err
    assert main(["leakage", str(file), "--label", "bougt"]) == 2
    assert "[interactions-column]" in capsys.readouterr().err
