"""A day's quality as text: the conclusion first, then what is off, then the numbers."""

from endcap.cli.table import table
from endcap.monitoring.charts import spark
from endcap.monitoring.quality_tables import Cell, DayQuality, Evidence
from endcap.monitoring.verdict import Check, Tone

__all__ = ["quality_text"]


def quality_text(day: DayQuality) -> str:
    """Return the report as people read it; a number outside its usual range has `!`, one far outside `!!`."""
    report = day.report
    told = [report.overall, *(finding.check for finding in report.findings), *report.checks]
    hours = f"Events by hour, UTC  {spark(day.hours)}  0 to {max(day.hours):,}"
    return "\n\n".join(["\n".join(_line(check) for check in told), hours, *(_evidence(each) for each in day.tables)])


def _line(check: Check) -> str:
    return f"{check.tone.value:<5} {check.sentence}"


def _evidence(evidence: Evidence) -> str:
    return f"{evidence.title}\n" + table(evidence.heads, _aligned(evidence))


def _aligned(evidence: Evidence) -> list[list[str]]:
    """Return the cells as texts, numbers put to the right by hand: a table takes texts for names."""
    texts = [[_text(cell) for cell in row] for row in evidence.rows]
    widths = [max(map(len, [head, *(row[at] for row in texts)])) for at, head in enumerate(evidence.heads)]
    return [
        [text if at < evidence.num_named else text.rjust(widths[at]) for at, text in enumerate(row)] for row in texts
    ]


_MARKS = {Tone.GOOD: "", Tone.WARN: " !", Tone.BAD: " !!"}


def _text(cell: Cell) -> str:
    return spark(cell.series) if cell.series else cell.text + _MARKS[cell.tone]
