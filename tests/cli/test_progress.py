import io
import sys

from endcap.cli.progress import told
from endcap.flows.flow import StepReport


def test_plain_lines_where_there_is_no_terminal(capsys):
    with told(quiet=False) as tell:
        tell(StepReport("ingest", "started", partitions=3))
        tell(StepReport("ingest", "done", partitions=3, seconds=2.0, rows=10, note="1 row in quarantine"))
        tell(StepReport("items", "unchanged"))
    lines = capsys.readouterr().err.rstrip("\n").split("\n")
    assert lines == [
        "ingest              2.0 s  3 partitions, 10 rows; 1 row in quarantine",
        "items               0.0 s  unchanged",
    ]


def test_nothing_is_told_beside_json(capsys):
    with told(quiet=True) as tell:
        tell(StepReport("ingest", "done"))
    assert capsys.readouterr().err == ""


def test_a_terminal_shows_the_same_lines(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with told(quiet=False) as tell:
        tell(StepReport("ingest", "started", partitions=3))
        tell(StepReport("ingest", "done", partitions=3, seconds=2.0, rows=10))
    assert "ingest              2.0 s  3 partitions, 10 rows" in terminal.getvalue()
