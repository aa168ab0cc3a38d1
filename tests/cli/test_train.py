import json

from endcap.cli.main import main


def test_every_model_of_the_shop_is_fitted_and_lies_in_its_folder(tiny_shop, capsys):
    assert main(["train", str(tiny_shop), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"][0]["state"] == "unchanged"
    for name in ("popular", "item_markov", "two_tower"):
        versions = list((tiny_shop / "models" / name).iterdir())
        assert len(versions) == 1
        assert (versions[0] / "scorer.json").exists()


def test_without_data_there_is_nothing_to_train(fresh_shop, capsys):
    assert main(["train", str(fresh_shop)]) == 2
    assert "endcap refresh" in capsys.readouterr().err
