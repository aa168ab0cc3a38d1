import json
import subprocess
import sys

from endcap.cli.main import main


def test_the_demo_shows_the_whole_loop_and_ends_with_one_json_object(tmp_path, export):
    command = [
        sys.executable,
        "-m",
        "endcap",
        "demo",
        "--shop",
        str(tmp_path / "demo"),
        "--data",
        str(export),
        "--n",
        "3",
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert run.returncode == 0, run.stderr
    lines = run.stdout.rstrip("\n").split("\n")
    told = json.loads(lines[-1])
    assert set(told) == {"shop", "bundle", "evaluation", "slate", "seconds"}
    assert {"popular", "item_markov"} <= set(told["evaluation"]["models"])
    assert len(told["slate"]["items"]) == 3
    assert {"ingest", "train", "serve"} <= set(told["seconds"])
    for part in ("Evaluation", "A shopper comes in", "Seconds by step", "Try next"):
        assert any(line.startswith(part) for line in lines), part


def test_a_folder_that_the_demo_did_not_make_is_never_removed(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    assert main(["demo", "--shop", str(tmp_path / "mine")]) == 2
    assert "was not made by the demo" in capsys.readouterr().err
    assert (tmp_path / "mine" / "thesis.txt").exists()
