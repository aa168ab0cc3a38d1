import json

from endcap.cli.main import main


def test_its_steps_run_and_a_second_time_do_nothing(fresh_shop, capsys):
    for verb in ["ingest"]:
        assert main([verb, str(fresh_shop)]) == 0
    assert main(["sessionize", str(fresh_shop)]) == 0
    capsys.readouterr()
    assert main(["sessionize", str(fresh_shop), "--json"]) == 0
    states = {step["step"]: step["state"] for step in json.loads(capsys.readouterr().out)["steps"]}
    assert "exposures" in states
    assert set(states.values()) == {"unchanged"}
