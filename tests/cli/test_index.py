import json

from endcap.cli.main import main


def test_each_vector_model_has_an_index_with_its_recall(tiny_shop, capsys):
    assert main(["index", str(tiny_shop), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["steps"][0]["state"] == "unchanged"
    (version,) = (tiny_shop / "index" / "two_tower").iterdir()
    assert (version / "report.json").exists()
