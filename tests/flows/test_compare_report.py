import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.core.errors import Code, UsageError
from endcap.flows.compare import compare
from endcap.flows.compare_report import HTML_FILE, JSON_FILE, MARKDOWN_FILE, _table, prepare_report, write_report


def ring(tmp_path):
    """Thirty users who walk along the same ring of five items, two steps each round."""
    rows = [{"u": f"u{user}", "i": f"i{(user + step) % 5}", "t": step} for user in range(30) for step in range(6)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "ring.parquet")
    return tmp_path / "ring.parquet"


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Two reports of the same comparison, and what the first one was made of."""
    folders = [tmp_path_factory.mktemp("report") / "out" for _ in range(2)]
    file = ring(folders[0].parent)
    for folder in folders:
        prepare_report(folder)
        found = compare(file, user="u", item="i", time="t", models=("recent",))
        write_report(found, folder)
    return [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders]


def test_a_report_is_a_page_a_text_the_numbers_and_two_figures(reports):
    assert set(reports[0]) == {
        MARKDOWN_FILE, HTML_FILE, JSON_FILE, "quality.png", "quality.svg", "time.png", "time.svg"
    }  # fmt: skip


def test_the_same_input_gives_the_same_bytes_of_the_text_and_of_the_figure_of_quality(reports):
    first, again = reports
    assert first[MARKDOWN_FILE] == again[MARKDOWN_FILE]
    assert first["quality.svg"] == again["quality.svg"]


def test_the_text_says_what_is_best_and_has_every_model_and_no_seconds(reports):
    lines = reports[0][MARKDOWN_FILE].decode().splitlines()
    assert lines[:4] == [
        "# Models compared", "", "- the highest ndcg@10: item_markov with 1.0000, 95 % interval 1.0000..1.0000",
        "- clearly above item_markov and popular, on all cases and on the untied: no model",
    ]  # fmt: skip
    assert [line.split(" ")[1] for line in lines if line.startswith("| ")][:4] == [
        "model", ":--", "item_markov", "recent"
    ]  # fmt: skip
    assert "| cold_items | 0 | too small |" in "\n".join(lines)
    assert "fit_s" not in "\n".join(lines)


def test_the_numbers_are_those_of_json(reports):
    assert json.loads(reports[0][JSON_FILE])["models"]["item_markov"]["hr@5"] == 1.0


def test_a_name_with_a_bar_keeps_its_cell():
    assert _table([["a|b", "c"], ["d", "1"]]).splitlines() == [
        "| a\\|b | c |", "| :-- | --: |", "| d | 1 |"
    ]  # fmt: skip


def test_without_matplotlib_nothing_is_fitted_and_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # as if it were not installed
    with pytest.raises(UsageError, match="need matplotlib") as caught:
        prepare_report(tmp_path / "out")
    assert (caught.value.code, "endcap[reports]" in caught.value.fix) == (Code.USAGE, True)
    assert not (tmp_path / "out").exists()


def test_a_matplotlib_that_is_broken_is_no_fault_of_ours_and_nothing_is_fitted(tmp_path, monkeypatch):
    (tmp_path / "matplotlib.py").write_text("raise ImportError('libpng.so.99 is missing')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)
    with pytest.raises(UsageError, match="installed and cannot be loaded: libpng") as caught:
        prepare_report(tmp_path / "out")
    assert (caught.value.fix.startswith("install it anew"), (tmp_path / "out").exists()) == (True, False)


def test_a_place_that_is_no_folder_is_refused_before_anything_is_fitted(tmp_path):
    (tmp_path / "file").write_text("here already")
    with pytest.raises(UsageError, match="cannot be made"):
        prepare_report(tmp_path / "file")
