import json
import shutil

import pytest

from endcap.cli.main import main


@pytest.fixture
def own(tmp_path, tiny_shop):
    return shutil.copytree(tiny_shop, tmp_path / "tiny")


def test_a_dry_run_tells_each_table_and_changes_nothing(own, capsys):
    assert main(["compact", str(own), "--dry-run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    tables = {each["table"]: each for each in told["tables"]}
    assert tables["events"]["state"] == "unchanged"
    assert tables["events"]["files_before"] == tables["events"]["files_after"] > 0
    assert {each["files_removed"] for each in told["vacuum"]} == {0}


def test_a_shop_that_needs_nothing_says_so_table_by_table(own, capsys):
    assert main(["compact", str(own)]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split()[:4] == ["table", "state", "partitions", "files"]
    assert any(row.split()[:2] == ["events", "unchanged"] for row in rows)


def test_a_manifest_that_cannot_be_read_keeps_every_version_and_is_told(own, capsys):
    (own / "runs" / "torn.json").write_bytes(b"{")
    assert main(["compact", str(own)]) == 0
    assert "a manifest in runs/ or bundles/ cannot be read" in capsys.readouterr().out
