from endcap.cli.main import main


def test_it_writes_an_export_and_says_what_is_in_it(tmp_path, capsys):
    words = ["simulate", str(tmp_path / "out"), "--days", "2", "--users", "20", "--items", "12"]
    assert main(words) == 0
    assert "view_item_list" in capsys.readouterr().out
    assert len(list((tmp_path / "out").glob("events_*.parquet"))) == 2
    assert (tmp_path / "out" / "catalog.tsv").exists()


def test_too_small_a_shop_is_refused(tmp_path, capsys):
    assert main(["simulate", str(tmp_path / "out"), "--days", "0"]) == 2
    assert "the least is 1" in capsys.readouterr().err
