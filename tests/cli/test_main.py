import re
import tempfile

import pytest

from endcap.cli import main as module
from endcap.cli.main import VERBS, main
from endcap.core.version import __version__
from endcap.governance.access import ALLOWED, Role


def test_the_version_is_told(capsys):
    assert main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb, capsys):
    assert main([verb, "--help"]) == 0
    assert "Usage: endcap " + verb in capsys.readouterr().out


def test_the_list_of_verbs_says_what_each_does(capsys):
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    for verb, (_, line) in VERBS.items():
        assert re.search(rf"{verb} +{re.escape(line)}", told)


def test_an_unknown_verb_or_flag_ends_with_2_and_a_hint(capsys):
    assert main(["refrech"]) == 2
    assert main(["refresh", "shop", "--trough", "2026-01-01"]) == 2
    told = capsys.readouterr()
    assert "Did you mean" in told.out + told.err


def test_an_error_of_ours_is_told_in_three_lines_and_ends_with_2(tmp_path, capsys):
    assert main(["refresh", str(tmp_path / "nothing")]) == 2
    lines = capsys.readouterr().err.rstrip("\n").split("\n")
    assert lines[0] == "error: there is no shop here [config-missing]"
    assert lines[1].startswith("  where: ")
    assert lines[2].startswith("  fix: make one with `endcap init")


def test_a_full_disk_is_told_without_a_traceback(monkeypatch, capsys):
    def full(*_words, **_options):
        raise OSError(28, "No space left on device", "/shop/lake")

    monkeypatch.setattr(module, "make_app", lambda **_: full)
    assert main(["refresh"]) == 2
    told = capsys.readouterr().err
    assert "No space left on device" in told
    assert "where: /shop/lake" in told


def test_a_fault_of_ours_shows_no_traceback_and_no_data_and_says_where_the_report_lies(monkeypatch, capsys, tmp_path):
    def faulty(*_words, **_options):
        raise KeyError("ann@shop.example")

    monkeypatch.setattr(module, "make_app", lambda **_: faulty)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert main(["refresh"]) == 70
    told = capsys.readouterr().err
    assert "a fault of Endcap itself (KeyError)" in told
    assert "ann@shop.example" not in told
    (report,) = tmp_path.glob("endcap-fault-*.txt")
    assert "Traceback" in report.read_text()
    assert "ann@shop.example" not in report.read_text()
    assert report.stat().st_mode & 0o777 == 0o600


def test_an_interrupted_command_ends_with_130(monkeypatch):
    def stopped(*_words, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "make_app", lambda **_: stopped)
    assert main(["refresh"]) == 130


def commands(shop, export, tmp_path):
    """One call of each verb that does something."""
    steps = ("refresh", "ingest", "sessionize", "featurize", "train", "index", "evaluate")
    return {
        "init": ["init", str(tmp_path / "made"), "--source", str(export)],
        "demo": ["demo", "--shop", str(tmp_path / "demo")],
        "simulate": ["simulate", str(tmp_path / "export")],
        "compare": ["compare", "clicks.parquet", "--user", "u", "--item", "i", "--time", "t"],
        "identify": ["identify", str(shop), "0" * 32],
        "leakage": ["leakage", str(shop)],
        "serve": ["serve", str(shop), "--port", "0"],
        "recommend": ["recommend", str(shop)],
        "show": ["show", "audit", str(shop)],
        "backfill": ["backfill", str(shop), "--from", "2026-01-01", "--to", "2026-01-02"],
        "promote": ["promote", str(shop), "a-bundle"],
        "compact": ["compact", str(shop)],
        **{verb: [verb, str(shop)] for verb in steps},
    }


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_passes_the_door(verb, tiny_shop, export, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(ALLOWED, Role.OWNER, frozenset())
    assert main(commands(tiny_shop, export, tmp_path)[verb]) == 2
    assert "[access-denied]" in capsys.readouterr().err
    assert not (tmp_path / "made" / "endcap.toml").exists()
