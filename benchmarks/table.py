"""Writes benchmarks/README.md from the JSON objects that benchmarks left: `python -m benchmarks.table FOLDER`."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

_README = Path(__file__).parent / "README.md"
_HEAD = """# Benchmarks

`make bench` runs all of them and writes this page from their figures; `python -m benchmarks.NAME [--quick] [--out
FILE]` runs one. The last line of each is one JSON object. Real data is looked for in `ENDCAP_DATA`; what could not be
measured is named with its reason, never guessed. Machines differ: compare ratios, not seconds.
"""


def main() -> int:
    """Write the page."""
    if len(sys.argv) != 2:
        print("usage: python -m benchmarks.table FOLDER", file=sys.stderr)
        return 2
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(Path(sys.argv[1]).glob("*.json"))]
    _README.write_text("\n".join([_HEAD, *(_section(each) for each in found)]), encoding="utf-8")
    return 0


def _section(line: dict[str, Any]) -> str:
    about = (importlib.import_module(f"benchmarks.{line['name']}").__doc__ or "").split("\n")[0]
    machine, versions = line["machine"], line["versions"]
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    rows = [f"| {name} | {_cell(value)} |" for name, value in line["figures"].items()]
    rows += [f"| {name} | not measured: {reason} |" for name, reason in line["unmeasured"].items()]
    return "\n".join(
        [
            f"## {line['name']}{' (quick)' if line['quick'] else ''}",
            "",
            about,
            "",
            "| figure | value |",
            "|---|---|",
            *rows,
            "",
            f"{line['date']}, commit {line['commit'][:12]}, {machine['cores']} cores, {machine['system']}; {told}.",
            "",
        ]
    )


def _cell(value: Any) -> str:
    """Write a figure in a cell; a figure of several parts is written part by part."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_cell(each)}" for name, each in value.items() if not isinstance(each, dict))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


if __name__ == "__main__":
    sys.exit(main())
