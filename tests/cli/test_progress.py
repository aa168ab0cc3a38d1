import io
import sys

from endcap.cli.progress import lines_told, told
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


class Terminal(io.StringIO):
    def isatty(self):
        return True


def terminal(monkeypatch):
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    return made


def test_a_terminal_shows_the_same_lines(monkeypatch):
    shown = terminal(monkeypatch)
    with told(quiet=False) as tell:
        tell(StepReport("ingest", "started", partitions=3))
        tell(StepReport("ingest", "done", partitions=3, seconds=2.0, rows=10))
    assert "ingest              2.0 s  3 partitions, 10 rows" in shown.getvalue()


def test_lines_are_told_one_by_one_where_there_is_no_terminal(capsys):
    with lines_told() as tell:
        tell("2026-01-01, day 1 of 2")
        tell("2026-01-02, day 2 of 2")
    assert capsys.readouterr().err == "2026-01-01, day 1 of 2\n2026-01-02, day 2 of 2\n"


def test_on_a_terminal_a_line_is_in_place_of_the_one_before(monkeypatch):
    shown = terminal(monkeypatch)
    with lines_told() as tell:
        tell("2026-01-01, day 1 of 2")
        tell("2026-01-02, day 2 of 2")
    assert "2026-01-02, day 2 of 2" in shown.getvalue()
    assert "2026-01-02, day 2 of 2\n2026" not in shown.getvalue()
