"""The page docs/world.md is what its blocks print, and its plots are drawn from what they compute."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[2] / "docs"
STALE = "run `python docs/world_plots.py`"


@pytest.fixture(scope="module")
def plots():
    spec = spec_from_file_location("world_plots", DOCS / "world_plots.py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def played(plots, tmp_path_factory):
    """The page with what is really printed, and what its Python knows at the end."""
    return plots.play((DOCS / "world.md").read_text(encoding="utf-8"), tmp_path_factory.mktemp("world"))


@pytest.fixture
def chart(plots):
    def chart(*marks, places=("a", "b", "c"), **options):
        return plots.Chart("A < B", "place", "height", places, [plots.Mark(*each) for each in marks], **options)

    return chart


def seen(svg, tag):
    return ET.fromstring(svg).findall(f"{{http://www.w3.org/2000/svg}}{tag}")  # noqa: S314 - we wrote it


def texts(svg):
    return [each.text for each in seen(svg, "text")]


def test_every_block_of_the_page_prints_what_the_page_says(played):
    assert played[0].splitlines() == (DOCS / "world.md").read_text(encoding="utf-8").splitlines(), STALE


def test_the_plots_are_drawn_from_what_the_page_computes(plots, played):
    drawn = {f"{name}.svg": each.svg() for name, each in plots.charts(played[1]).items()}
    there = {path.name: path.read_text(encoding="utf-8") for path in (DOCS / "world").iterdir()}
    assert drawn == there, STALE


def test_every_plot_is_on_the_page_and_small():
    page = (DOCS / "world.md").read_text(encoding="utf-8")
    for path in (DOCS / "world").iterdir():
        assert f"](world/{path.name})" in page
        assert path.stat().st_size < 25_000
    assert page.count("](world/") == len(list((DOCS / "world").iterdir()))


def test_a_command_that_fails_shows_its_error_and_python_is_one_session(plots, tmp_path):
    page = (
        "```sh\necho sorry >&2\nfalse\n```\n\n```python\na = 1\n```\n\n"
        "```python\nprint(a)\n```\n\n```text\nstale\n```\n\nEnd.\n"
    )
    told, known = plots.play(page, tmp_path)
    assert told == (
        "```sh\necho sorry >&2\nfalse\n```\n\n```text\nsorry\n```\n\n```python\na = 1\n```\n\n"
        "```python\nprint(a)\n```\n\n```text\n1\n```\n\nEnd.\n"
    )
    assert known["a"] == 1


def test_bars_stand_on_each_other_and_the_ticks_reach_over_them(chart):
    svg = chart(("low", [1.0, 2.0, 0.0], "bars"), ("high", [3.0, 1.0, 0.0], "bars")).svg()
    assert [each for each in texts(svg) if each.isdigit()] == ["0", "1", "2", "3", "4"]
    bars = [(float(each.get("y")), float(each.get("height"))) for each in seen(svg, "rect")[3:]]  # ground, two samples
    unit = bars[0][1]
    assert [round(height / unit) for _, height in bars] == [1, 2, 3, 1]
    assert bars[2][0] + bars[2][1] == pytest.approx(bars[0][0])


def test_a_chart_says_what_it_is_and_leaves_gaps_where_nothing_is_known(chart):
    svg = chart(("some", [1.0, np.nan, 3.0])).svg()
    assert {"A < B", "place", "height", "some", "a", "b", "c"} <= set(texts(svg))
    assert len(seen(svg, "circle")) == 2
    assert "nan" not in svg


def test_heights_are_logarithmic_on_request_and_may_begin_above_zero(chart):
    assert [each for each in texts(chart(("", [0.3, 3.0, 7.0]), is_log=True).svg()) if each[0].isdigit()] == [
        *("0.2", "0.5", "1", "2", "5", "10")
    ]
    assert [each for each in texts(chart(("", [0.5, 0.6, 0.8]), base=0.4).svg()) if each[0].isdigit()] == [
        *("0.4", "0.5", "0.6", "0.7", "0.8")
    ]


def test_whiskers_go_from_the_lower_to_the_upper_end(chart):
    svg = chart(("", [2.0, 2.0, 2.0], "points", [1.0, 1.0, 1.0], [4.0, 4.0, 4.0])).svg()
    assert sum("h12" in each.get("d") for each in seen(svg, "path")) == 3
