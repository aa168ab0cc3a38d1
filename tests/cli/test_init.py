import json
import tomllib

from endcap.cli.main import main


def test_it_says_what_it_found_and_writes_a_commented_file(tmp_path, export, capsys):
    shop = tmp_path / "my-shop"
    assert main(["init", str(shop), "--source", str(export)]) == 0
    told = capsys.readouterr().out
    assert "GA4" in told
    assert "Merchant feed" in told
    assert "USD" in told
    text = (shop / "endcap.toml").read_text()
    assert text.startswith("#:schema ./endcap.schema.json\n")
    settings = tomllib.loads(text)
    assert settings["shop"]["project"] == "my-shop"
    assert settings["events"]["default_currency"] == "USD"
    assert "# gap_minutes = 30" in text
    assert "properties" in json.loads((shop / "endcap.schema.json").read_text())
    assert (shop / "keys" / "user.key").stat().st_mode & 0o777 == 0o600


def test_columns_and_currency_can_be_said(tmp_path, capsys):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "log.csv").write_text("wann,wer,artikel,preis\n2026-08-01,u,mug,9.5\n")
    words = ["init", str(tmp_path / "shop"), "--source", str(tmp_path / "log")]
    columns = "time=wann,user_id=wer,item_id=artikel,price=preis"
    assert main([*words, "--columns", "time"]) == 2
    assert main([*words, "--columns", columns, "--currency", "EURO"]) == 2
    assert "did you mean 'EUR'" in capsys.readouterr().err
    assert not (tmp_path / "shop").exists()
    assert main([*words, "--columns", columns, "--currency", "EUR"]) == 0
    settings = tomllib.loads((tmp_path / "shop" / "endcap.toml").read_text())["events"]
    assert (settings["default_currency"], settings["reader"]["item_id"]) == ("EUR", "artikel")
    assert main(["ingest", str(tmp_path / "shop")]) == 0


def test_a_shop_is_never_overwritten(fresh_shop, export, capsys):
    before = (fresh_shop / "endcap.toml").read_bytes()
    assert main(["init", str(fresh_shop), "--source", str(export)]) == 2
    assert "shop-exists" in capsys.readouterr().err
    assert (fresh_shop / "endcap.toml").read_bytes() == before


def test_a_missing_or_strange_folder_makes_no_shop(tmp_path, capsys):
    assert main(["init", str(tmp_path / "shop"), "--source", str(tmp_path / "nowhere")]) == 2
    assert "source-missing" in capsys.readouterr().err
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "holiday.jpg").write_bytes(b"not an export")
    assert main(["init", str(tmp_path / "shop"), "--source", str(tmp_path / "strange")]) == 2
    assert "source-unknown" in capsys.readouterr().err
    assert not (tmp_path / "shop" / "endcap.toml").exists()
