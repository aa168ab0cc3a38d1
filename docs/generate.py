"""Writes what the docs say about the code from the code: the files in ARCHITECTURE.md, docs/commands.md, the features.

`python docs/generate.py` writes them; the tests compare.
"""

import ast
import io
from pathlib import Path

from rich.console import Console

from endcap.cli.main import VERBS, make_app
from endcap.features.declared import FEATURES

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "src" / "endcap"
BEGIN, END = "<!-- files: made by docs/generate.py -->\n", "<!-- end of files -->"
FEATURES_BEGIN, FEATURES_END = "<!-- features: made by docs/generate.py -->\n", "<!-- end of features -->"
ROOMS = (
    "core", "metrics", "stores", "engines", "governance", "events", "sessions", "features", "models", "index",
    "serving", "monitoring", "flows", "cli", "simulation", "testing",
)  # fmt: skip


def first_sentence(path: Path) -> str:
    """Return the first line of a module's docstring."""
    told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return told.split("\n")[0]


def files_by_room() -> str:
    """Return the list of all files, room by room, each with its sentence."""
    top = [f"- `{path.name}`: {first_sentence(path)}" for path in sorted(SOURCES.glob("*.py"))]
    parts = ["### endcap", "", *top, ""]
    for room in ROOMS:
        folder = SOURCES / room
        parts += [f"### {room}", "", first_sentence(folder / "__init__.py"), ""]
        for path in sorted(folder.rglob("*.py")):
            name = path.relative_to(folder).as_posix()
            if name != "__init__.py":
                parts.append(f"- `{name}`: {first_sentence(path)}")
        parts.append("")
    return "\n".join(parts)


def architecture() -> str:
    """Return ARCHITECTURE.md with the present list of files."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    before, rest = text.split(BEGIN, 1)
    return before + BEGIN + files_by_room() + END + rest.split(END, 1)[1]


def commands() -> str:
    """Return docs/commands.md: the help of every verb as it is printed."""
    pages = ["# Commands", "", "The help of every verb, as `endcap VERB --help` prints it.", ""]
    for verb in VERBS:
        out = io.StringIO()
        make_app().help_print([verb], console=Console(file=out, width=100, color_system=None, legacy_windows=False))
        text = "\n".join(line.rstrip() for line in out.getvalue().strip("\n").split("\n"))
        pages += [f"## {verb}", "", "```", text, "```", ""]
    return "\n".join(pages)


def features() -> str:
    """Return docs/features.md with the present table of features."""
    lines = [
        "| of | name | what it says | from | window | where nothing is known | read | owner |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for feature in FEATURES:
        of = " / ".join(", ".join(names) for names in (feature.of, feature.per) if names) or "any event"
        default = "missing" if feature.default is None else str(feature.default)
        read = " and ".join({"instant": "at any instant", "day": "as of a day"}[each] for each in feature.readings)
        cells = [feature.entity, f"`{feature.name}`", feature.doc, of, feature.window, default, read, feature.owner]
        lines.append("| " + " | ".join(cells) + " |")
    text = (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
    before, rest = text.split(FEATURES_BEGIN, 1)
    return before + FEATURES_BEGIN + "\n".join(lines) + "\n" + FEATURES_END + rest.split(FEATURES_END, 1)[1]


if __name__ == "__main__":
    (ROOT / "ARCHITECTURE.md").write_text(architecture(), encoding="utf-8")
    (ROOT / "docs" / "commands.md").write_text(commands(), encoding="utf-8")
    (ROOT / "docs" / "features.md").write_text(features(), encoding="utf-8")
