import json
import shutil

import pyarrow.parquet as pq
import pytest

from endcap.cli.main import main


def shown(what, shop, capsys):
    assert main(["show", what, str(shop)]) == 0
    text = capsys.readouterr().out
    assert main(["show", what, str(shop), "--json"]) == 0
    return text, json.loads(capsys.readouterr().out)


def test_the_bundle_in_force_names_its_models_and_snapshots(tiny_shop, capsys):
    text, value = shown("bundle", tiny_shop, capsys)
    assert {"popular", "item_markov", "two_tower"} <= {model["name"] for model in value["models"]}
    assert value["bundle_id"] in text
    assert {"events", "items", "sequences"} <= {each["table"] for each in value["snapshots"]}
    assert {each["schema"] for each in value["snapshots"]} == {1}


def test_every_step_tells_what_it_did_and_cost(tiny_shop, capsys):
    _, attempts = shown("runs", tiny_shop, capsys)
    done = {row["step"] for row in attempts if row["outcome"] == "done"}
    assert {"ingest", "sessions", "examples", "train", "index", "evaluate", "bundle", "monitor"} <= done
    assert all(row["cpu_s"] is not None and row["peak_rss_bytes"] > 0 for row in attempts)


def test_what_became_of_every_row_adds_up(tiny_shop, capsys):
    _, rows = shown("intake", tiny_shop, capsys)
    for row in rows:
        for unit in ("events", "rows"):
            parts = [count for name, count in row.items() if name.startswith(f"{unit}_") and name != f"{unit}_read"]
            assert row[f"{unit}_read"] == sum(parts), row


def test_the_versions_of_the_exports_schema_are_shown_with_what_changed(export, tmp_path, capsys):
    root, source = tmp_path / "shop", shutil.copytree(export, tmp_path / "export")
    path = source / "events_20260104.parquet"
    pq.write_table(pq.read_table(path).rename_columns({"user_pseudo_id": "pseudo_user_id"}), path)
    assert main(["init", str(root), "--source", str(source)]) == 0
    assert main(["ingest", str(root)]) == 2
    told = capsys.readouterr().err
    assert "column 'user_pseudo_id' is gone, it was string" in told
    assert 'columns = { user_pseudo_id = "pseudo_user_id" }' in told
    text, rows = shown("schema", root, capsys)
    assert [(row["version"], row["before"], row["num_refused"]) for row in rows] == [(1, 0, 0), (2, 1, 1)]
    assert "ga4 version 2, after version 1:\n  pseudo_user_id added (string)\n  user_pseudo_id removed (string)" in text
    assert rows[0]["columns"]["items[].item_id"] == "string"


@pytest.mark.parametrize("what", ["evaluation", "health", "audit", "run"])
def test_reports_and_the_audit_log_are_shown(what, tiny_shop, capsys):
    text, value = shown(what, tiny_shop, capsys)
    assert text.strip()
    assert value


def test_an_unknown_word_is_told_with_the_near_one(tiny_shop, capsys):
    assert main(["show", "bundel", str(tiny_shop)]) == 2
    assert "did you mean 'bundle'?" in capsys.readouterr().err


def test_before_the_first_refresh_there_is_nothing_and_it_says_what_to_do(fresh_shop, capsys):
    for what in ("bundle", "evaluation", "health"):
        assert main(["show", what, str(fresh_shop)]) == 2
        assert "endcap refresh" in capsys.readouterr().err


def test_the_quality_of_a_day_is_shown_with_its_conclusion_first(tiny_shop, capsys):
    text, value = shown("quality", tiny_shop, capsys)
    assert text.splitlines()[0].endswith(value["report"]["overall"]["sentence"])
    day = value["report"]["day"]
    assert main(["show", "quality", str(tiny_shop), "--day", day]) == 0
    assert capsys.readouterr().out == text


def test_a_day_is_for_quality_alone_and_must_be_there(tiny_shop, capsys):
    assert main(["show", "intake", str(tiny_shop), "--day", "2026-01-02"]) == 2
    assert "show quality" in capsys.readouterr().err
    assert main(["show", "quality", str(tiny_shop), "--day", "1999-01-01"]) != 0
    assert "1999-01-01 has no profile" in capsys.readouterr().err
