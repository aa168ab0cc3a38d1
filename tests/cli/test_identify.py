import json

import pytest

from endcap.cli.main import main
from endcap.core.ids import user_key
from endcap.flows.refresh import refresh
from endcap.flows.shop import find_shop
from endcap.flows.wiring.batch import open_ledger


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    export = tmp_path_factory.mktemp("export")
    lines = ["2026-03-01 10:00:00,c-1,ann,view_item,A", "2026-03-01 10:01:00,c-2,,view_item,B"]
    (export / "events.csv").write_text("at,device,user,event,item\n" + "\n".join(lines) + "\n")
    root = tmp_path_factory.mktemp("shops") / "shop"
    columns = "time=at,device_id=device,user_id=user,event_name=event,item_id=item"
    assert main(["init", str(root), "--source", str(export), "--columns", columns, "--currency", "EUR"]) == 0
    refresh(root, verbs=("ingest",))
    return root


def asked(capsys, *args):
    code = main(["identify", *args])
    return code, capsys.readouterr()


def test_whose_a_hash_is_and_which_hash_somebody_has(shop, capsys):
    ann, c2 = (
        str(user_key(**names, key=find_shop(shop).user_key()))
        for names in ({"user_id": "ann", "user_pseudo_id": None}, {"user_id": None, "user_pseudo_id": "c-2"})
    )
    capsys.readouterr()
    code, told = asked(capsys, str(shop), ann, c2, "0" * 32, "--json")
    assert (code, json.loads(told.out)) == (0, {ann: "user:ann", c2: "device:c-2", "0" * 32: None})
    code, told = asked(capsys, str(shop), "--user-id", "ann")
    assert code == 0
    assert ann in told.out


def test_each_asking_stands_in_the_audit_log(shop, capsys):
    asked(capsys, str(shop), "1" * 32)
    with open_ledger(find_shop(shop)) as ledger:
        rows = ledger.audit.rows(limit=5)
    assert any(row["action"] == "personal.read" and "1" * 32 in row["resource"] for row in rows)


@pytest.mark.parametrize("args", [[], ["ann@example.org"]])
def test_what_is_no_hash_is_refused_and_not_repeated(shop, capsys, args):
    code, told = asked(capsys, str(shop), *args)
    assert code != 0
    assert "fix:" in told.err
    assert "ann@" not in told.err
