import shutil

from endcap.cli.main import main


def test_a_bundle_that_is_not_there_is_told_with_those_that_are(tiny_shop, capsys):
    assert main(["promote", str(tiny_shop), "2026-01-01-nothing"]) == 2
    assert "bundle-missing" in capsys.readouterr().err


def test_a_bundle_with_a_changed_file_is_not_put_in_force(tmp_path, tiny_shop, capsys):
    shop = shutil.copytree(tiny_shop, tmp_path / "tiny")
    bundle = (shop / "bundles" / "current").read_text().strip()
    (shop / "bundles" / "current").unlink()
    items = shop / "bundles" / bundle / "items.arrow"
    content = items.read_bytes()
    items.write_bytes(content + b"x")
    assert main(["promote", str(shop), bundle]) == 2
    assert "bundle-damaged" in capsys.readouterr().err
    assert not (shop / "bundles" / "current").exists()
    items.write_bytes(content)
    assert main(["promote", str(shop), bundle]) == 0
    assert "before: none" in capsys.readouterr().out
