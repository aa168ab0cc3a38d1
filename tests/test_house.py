import ast
import importlib
import re
import shutil
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import endcap
from endcap.cli.main import VERBS, make_app

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "src" / "endcap"
NO_TEST_OF_THEIR_OWN = {"__main__.py"}


def generator():
    spec = spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_architecture_names_every_file_in_a_sentence():
    assert generator().architecture() == (ROOT / "ARCHITECTURE.md").read_text(), "run `make docs`"
    for path in SOURCES.rglob("*.py"):
        assert generator().first_sentence(path).endswith((".", ";", ",", ":")) or "\n" in path.read_text(), path


def test_every_file_begins_with_what_it_is():
    silent = [path for path in SOURCES.rglob("*.py") if len(generator().first_sentence(path)) < 12]
    assert silent == []


def test_the_help_of_every_verb_stands_in_the_docs():
    assert generator().commands() == (ROOT / "docs" / "commands.md").read_text(), "run `make docs`"


def test_the_declared_features_stand_in_the_docs():
    assert generator().features() == (ROOT / "docs" / "features.md").read_text(), "run `make docs`"


def test_flags_choose_what_to_run_and_never_how_a_model_is_fitted():
    flags = {flag for verb in VERBS for flag in re.findall(r"--[a-z-]+", generator().commands())}
    forbidden = {"--dim", "--epochs", "--learning-rate", "--batch", "--gap", "--decay"}
    assert flags.isdisjoint(forbidden)
    assert make_app().version == endcap.__version__


def test_tests_mirror_the_sources():
    missing = [
        str(path.relative_to(SOURCES))
        for path in sorted(SOURCES.rglob("*.py"))
        if path.name not in {"__init__.py", *NO_TEST_OF_THEIR_OWN}
        and "migrations" not in path.parts
        and not (ROOT / "tests" / path.relative_to(SOURCES)).with_name(f"test_{path.name}").exists()
    ]
    assert missing == []


def test_every_public_name_can_be_imported():
    assert sorted(endcap.__all__) == dir(endcap)
    for name in endcap.__all__:
        assert getattr(endcap, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        endcap.nothing  # noqa: B018 - asking is the test


def test_every_name_a_module_exports_is_there():
    for path in sorted(SOURCES.rglob("*.py")):
        if "migrations" in path.parts or path.name == "__main__.py":
            continue
        name = ".".join(path.relative_to(SOURCES.parent).with_suffix("").parts).removesuffix(".__init__")
        module = importlib.import_module(name)
        assert [each for each in getattr(module, "__all__", []) if not hasattr(module, each)] == [], name


def test_there_is_no_room_for_leftovers():
    banned = {"utils", "common", "helpers", "misc", "base", "manager", "util", "helper"}
    assert not [path for path in SOURCES.rglob("*") if path.stem in banned]


def test_nothing_is_pickled():
    for path in SOURCES.rglob("*.py"):
        imported = {
            alias.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert imported.isdisjoint({"pickle", "dill", "joblib", "cloudpickle"}), path


BREACHES = {
    "One way": ("core/clock.py", "import endcap.flows.shop"),
    "batch rooms are strangers": ("sessions/sessionize.py", "import endcap.events.config"),
    "The serving image stays light": ("serving/pipeline.py", "import duckdb"),
    "core and metrics know nothing": ("metrics/ranking.py", "import pyarrow"),
    "Adapters are chosen in one place": ("flows/runner.py", "import endcap.stores.adapters.delta"),
    "Nobody imports the test kit": ("flows/runner.py", "import endcap.testing.algorithms"),
    "Only the command line starts the simulated shop": (
        "flows/runner.py",
        "import endcap.simulation.shop",
    ),
    "No circles among brothers": ("core/errors.py", "import endcap.core.manifest"),
}


@pytest.mark.parametrize("rule", BREACHES)
def test_each_import_contract_is_seen_to_catch_a_breach(rule, tmp_path):
    shutil.copytree(SOURCES, tmp_path / "src" / "endcap", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file, breach = BREACHES[rule]
    path = tmp_path / "src" / "endcap" / file
    path.write_text(path.read_text() + f"\n{breach}\n")
    run = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    broken = [line for line in run.stdout.splitlines() if line.endswith("BROKEN")]
    assert run.returncode != 0
    assert any(rule in line for line in broken), run.stdout
