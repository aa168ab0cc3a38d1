import json

from endcap.cli.main import main


def test_a_new_visitor_gets_a_slate(tiny_shop, capsys):
    assert main(["recommend", str(tiny_shop), "--user-pseudo-id", "new", "--n", "3", "--json"]) == 0
    slate = json.loads(capsys.readouterr().out)
    assert [item["place"] for item in slate["items"]] == [1, 2, 3]
    assert all(item["title"] and item["source"] for item in slate["items"])


def test_an_item_that_is_looked_at_is_not_recommended(tiny_shop, capsys):
    assert main(["recommend", str(tiny_shop), "--user-pseudo-id", "new", "--n", "1", "--json"]) == 0
    item_id = json.loads(capsys.readouterr().out)["items"][0]["item_id"]
    words = ["recommend", str(tiny_shop), "--items", item_id, "--placement", "product", "--n", "5"]
    assert main([*words, "--json"]) == 0
    assert item_id not in [item["item_id"] for item in json.loads(capsys.readouterr().out)["items"]]
    assert main(words) == 0
    assert "reason" in capsys.readouterr().out.split("\n")[0]


def test_an_unknown_placement_is_told_with_the_near_one(tiny_shop, capsys):
    assert main(["recommend", str(tiny_shop), "--placement", "hom"]) == 2
    assert "home" in capsys.readouterr().err


def test_looking_at_a_shoppers_slate_is_written_down(tiny_shop, capsys):
    assert main(["recommend", str(tiny_shop), "--user-id", "ann"]) == 0
    capsys.readouterr()
    assert main(["show", "audit", str(tiny_shop), "--json"]) == 0
    looking, newest = json.loads(capsys.readouterr().out)[:2]
    assert looking["action"] == "audit.read"
    assert newest["action"] == "personal.read"
    assert "ann" not in newest["resource"]


def test_an_unknown_item_is_answered_more_simply_and_this_is_told(tiny_shop, capsys):
    assert main(["recommend", str(tiny_shop), "--placement", "product", "--items", "nowhere"]) == 0
    assert "a simpler answer than usual: item_unknown" in capsys.readouterr().out
