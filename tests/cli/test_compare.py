import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from endcap.cli.main import main


@pytest.fixture
def clicks(tmp_path):
    """Thirty users who walk along the same ring of five items, two steps each round."""
    rows = [
        {"u": f"user-{user}", "i": f"item-{(user + step) % 5}", "t": step, "s": f"user-{user}"}
        for user in range(30)
        for step in range(6)
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "clicks.parquet")
    return tmp_path / "clicks.parquet"


def words(file, *more):
    return ["compare", str(file), "--user", "u", "--item", "i", "--time", "t", "--models", "popular,item_markov", *more]


def test_json_holds_protocol_counts_and_every_model_with_its_intervals(clicks, capsys):
    assert main(words(clicks, "--k", "1,3", "--json")) == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result) >= {"protocol", "counts", "models"}
    markov = result["models"]["item_markov"]
    assert markov["hr@1"] == 1.0
    assert result["models"]["popular"]["hr@1"] < 1.0
    assert {"ndcg@3", "mrr@3", "fit_s", "ci"} <= set(markov)


def test_people_get_a_table(clicks, capsys):
    assert main(words(clicks, "--split", "time:4", "--protocol", "session_next", "--session", "s")) == 0
    assert "item_markov" in capsys.readouterr().out


def test_a_report_is_written_and_named(clicks, tmp_path, capsys):
    assert main(words(clicks, "--out", str(tmp_path / "report"))) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"report: {tmp_path / 'report' / 'report.html'}"
    assert json.loads((tmp_path / "report" / "compare.json").read_bytes())["models"]["item_markov"]["hr@5"] == 1.0


def test_a_budget_and_a_segment_may_be_named(clicks, capsys):
    assert main(words(clicks, "--budget", "600", "--segment", "i", "--json")) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["protocol"]["budget_s"], result["not_fitted"]) == (600, {})
    assert result["slices"]["i=item-0"]["too_small"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"--user": "uu"}, "did you mean 'u'?"),
        ({"--item": "itm"}, "known: i, s, t, u"),
        ({"--models": "populer"}, "did you mean 'popular'"),
        ({"--budget": "-1"}, "give seconds above 0"),
        ({"--k": "many"}, "write it as 5,10,20"),
        ({"--split": "time:99"}, "split-empty"),
    ],
)
def test_what_does_not_fit_is_told(clicks, capsys, more, told):
    options = {"--user": "u", "--item": "i", "--time": "t", "--models": "popular", **more}
    assert main(["compare", str(clicks), *(word for pair in options.items() for word in pair)]) == 2
    assert told in capsys.readouterr().err


def test_a_missing_file_is_told(tmp_path, capsys):
    assert main(words(tmp_path / "nothing.parquet")) == 2
    assert "fix:" in capsys.readouterr().err
