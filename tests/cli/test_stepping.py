import json

import pytest

from endcap.cli.stepping import run_verbs
from endcap.core.errors import UsageError


def test_json_is_one_object(tiny_shop, capsys):
    run_verbs(tiny_shop, verbs=("train", "index"), through="", json_wanted=True)
    assert [step["step"] for step in json.loads(capsys.readouterr().out)["steps"]] == ["train", "index"]


def test_what_is_no_day_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(UsageError, match="'tomorrow' is no day"):
        run_verbs(tmp_path, verbs=None, through="tomorrow", json_wanted=False)
