import json

import numpy as np
import pytest

from endcap.core.errors import ModelError
from endcap.models.storage import kind_of, load_arrays, save_arrays


def saved(folder):
    save_arrays(folder, kind="mine", settings={"b": 1, "a": [2]}, arrays={"x": np.arange(6).reshape(2, 3).T})
    return folder


def test_what_was_saved_comes_back(tmp_path):
    settings, arrays = load_arrays(saved(tmp_path), kind="mine")
    assert settings == {"a": [2], "b": 1}
    assert arrays["x"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert kind_of(tmp_path) == "mine"


def test_another_kind_is_refused(tmp_path):
    with pytest.raises(ModelError, match="'mine', not 'other'"):
        load_arrays(saved(tmp_path), kind="other")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2, "kind": "mine", "settings": {}, "arrays": {}}'])
def test_settings_of_another_form_are_refused(tmp_path, text):
    (saved(tmp_path) / "scorer.json").write_text(text)
    with pytest.raises(ModelError, match="settings"):
        kind_of(tmp_path)


def test_arrays_that_are_not_those_of_the_settings_are_refused(tmp_path):
    plain = json.loads((saved(tmp_path) / "scorer.json").read_text())
    plain["arrays"]["x"]["shape"] = [6]
    (tmp_path / "scorer.json").write_text(json.dumps(plain))
    with pytest.raises(ModelError, match="not those"):
        load_arrays(tmp_path, kind="mine")
