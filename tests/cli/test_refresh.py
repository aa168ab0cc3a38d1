import json

from endcap.cli.main import main


def test_a_second_refresh_has_nothing_to_do(tiny_shop, capsys):
    assert main(["refresh", str(tiny_shop)]) == 0
    assert "nothing to do" in capsys.readouterr().out


def test_json_is_the_only_output_and_names_every_step(tiny_shop, capsys):
    assert main(["refresh", str(tiny_shop), "--json"]) == 0
    told = capsys.readouterr()
    result = json.loads(told.out)
    assert told.err == ""
    assert [step["state"] for step in result["steps"]] == ["unchanged"] * len(result["steps"])
    assert result["bundle"].startswith(result["through"])


def test_a_wrong_day_and_a_wrong_step_are_told(tiny_shop, capsys):
    assert main(["refresh", str(tiny_shop), "--through", "15.9.2016"]) == 2
    assert "write it as YYYY-MM-DD" in capsys.readouterr().err
    assert main(["refresh", str(tiny_shop), "--again", "bundel"]) == 2
    assert "did you mean 'bundle'?" in capsys.readouterr().err


def test_a_day_before_all_data_is_told(fresh_shop, capsys):
    assert main(["refresh", str(fresh_shop), "--through", "2020-01-01"]) == 2
    assert "fix:" in capsys.readouterr().err
