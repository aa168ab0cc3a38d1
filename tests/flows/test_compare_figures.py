import math
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.text import Text

from endcap.flows.compare_figures import FIGURES, _name_points, _quality, _time, draw
from endcap.models.evaluation import Evaluation, ModelMeasures, Slice

NAN = float("nan")


def measures(value):
    return ModelMeasures({"ndcg@10": value}, {"ndcg@10": (value - 0.01, value + 0.01)})


def found(values, *, same_instant=5, seconds=None):
    models = {name: measures(value) for name, value in values.items()}
    return Evaluation(
        protocol={"ks": [10]},
        counts={"cases": 100, "same_instant": same_instant},
        models=models,
        differences=(),
        slices=(Slice("untied", 95, 9, models, ()),),
        fit_s=seconds or {name: 0.5 * (at + 1) for at, name in enumerate(values)},
    )


MANY = {"popular": 0.1, "item_markov": 0.2, "recent": 0.15, "als": 0.14, "blend": 0.26, "sequence": 0.25}


def texts(figure):
    return [each.get_text() for each in figure.axes[0].texts]


def test_the_same_measures_give_the_same_bytes_and_other_seconds_change_the_figure_of_time_alone(tmp_path):
    folders = [tmp_path / name for name in ("first", "again", "later")]
    for folder, pace in zip(folders, (1, 1, 3), strict=True):
        folder.mkdir()
        draw(found(MANY, seconds={name: pace * (at + 1) for at, name in enumerate(MANY)}), folder)
    first, again, later = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert set(first) == {f"{name}.{kind}" for name in FIGURES for kind in ("png", "svg")}
    assert first == again
    assert {name for name in first if first[name] != later[name]} == {"time.png", "time.svg"}


def test_figures_are_whole_pictures_that_ask_for_nothing_else(tmp_path):
    draw(found(MANY), tmp_path)
    for name in FIGURES:
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        root = ET.fromstring((tmp_path / f"{name}.svg").read_text())  # noqa: S314 - we have just written it
        links = [value for each in root.iter() for key, value in each.attrib.items() if key.endswith("href")]
        assert all(link.startswith("#") for link in links)


def test_the_best_model_stands_on_top_and_references_are_named_so():
    names = [each.get_text() for each in _quality(found(MANY)).axes[0].get_yticklabels()]
    assert names == [
        "popular (reference)", "als", "recent", "item_markov (reference)", "sequence", "blend"
    ]  # fmt: skip


def test_untied_cases_are_drawn_apart_where_some_are_tied():
    assert len(_quality(found(MANY)).axes[0].containers) == 2 * len(MANY)
    assert len(_quality(found(MANY, same_instant=0)).axes[0].containers) == len(MANY)


@pytest.mark.parametrize("spread", [0.0, 0.001, 0.05])
def test_names_of_points_do_not_cover_each_other(spread):
    values = {f"a_long_name_{at}": 0.2 + spread * at for at in range(7)}
    figure = _time(found(values, seconds=dict.fromkeys(values, 0.0)))
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(each) for each in figure.axes[0].texts]
    assert sorted(texts(figure)) == sorted(values)
    for at, box in enumerate(boxes):
        for other in boxes[at + 1 :]:
            assert not (box.x0 < other.x1 and other.x0 < box.x1 and box.y0 < other.y1 and other.y0 < box.y1)


def test_names_stand_beside_their_points_where_there_is_room():
    with rc_context():
        figure = Figure()
        axes = figure.add_subplot()
        axes.set_xlim(0, 10)
        _name_points(figure, axes, {"one": (2, 0.2), "two": (2, 0.8)})
    assert [each.xyann for each in axes.texts] == [(9, 0), (9, 0)]


def test_a_model_whose_measure_is_undefined_is_left_out_and_of_none_the_axes_are_empty():
    assert texts(_time(found({"popular": 0.1, "new": NAN}))) == ["popular"]
    assert len(_quality(found({"popular": 0.1, "new": NAN})).axes[0].get_yticks()) == 1
    nothing = found({"popular": NAN})
    assert texts(_time(nothing)) == []
    assert len(_quality(nothing).axes[0].get_yticks()) == 0


def test_a_model_without_an_interval_has_its_point():
    alone = found({"popular": 0.1})
    unsure = ModelMeasures({"ndcg@10": 0.1}, {"ndcg@10": (NAN, NAN)})
    figure = _time(replace(alone, models={"popular": unsure}, slices=()))
    assert math.isclose(float(np.ravel(figure.axes[0].containers[0][0].get_ydata())[0]), 0.1)
