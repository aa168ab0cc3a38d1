import json

from endcap.cli.main import main


def test_the_table_holds_the_baselines_with_their_intervals(tiny_shop, capsys):
    assert main(["evaluate", str(tiny_shop), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert {"popular", "item_markov"} <= set(result["models"])
    low, high = result["models"]["item_markov"]["ci"]["ndcg@10"]
    assert low <= result["models"]["item_markov"]["ndcg@10"] <= high


def test_people_get_a_table(tiny_shop, capsys):
    assert main(["evaluate", str(tiny_shop)]) == 0
    assert "item_markov" in capsys.readouterr().out
