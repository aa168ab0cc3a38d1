"""The page of a day's quality: one file without scripts, in light and dark, the same bytes for the same day."""

from collections.abc import Sequence
from html import escape

from endcap.monitoring.charts import band_svg, bars_svg, spark_svg
from endcap.monitoring.quality import Judged, told
from endcap.monitoring.quality_tables import Cell, DayQuality, Evidence
from endcap.monitoring.verdict import Check, Tone

__all__ = ["quality_page"]

_STYLE = """
:root{color-scheme:light dark;--bg:#f6f6f8;--surface:#fff;--line:#e6e6eb;--text:#17181c;--text2:#565963;--text3:#71747f;
--accent:#4f4bd8;--soft:#eeeefe;--good:#14774a;--good-on:#e5f5ec;--warn:#955200;--warn-on:#fdf0db;--bad:#c4262e;
--bad-on:#fdeaea}
@media(prefers-color-scheme:dark){:root{--bg:#0d0e11;--surface:#15161b;--line:#25272e;--text:#eceef2;--text2:#a9adb8;
--text3:#868b97;--accent:#8f8cff;--soft:#232350;--good:#4cc38a;--good-on:#12291f;--warn:#f0a951;--warn-on:#2e2110;
--bad:#ff7b80;--bad-on:#351718}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--text);font:13.5px/1.5 Inter,system-ui,sans-serif;
font-variant-numeric:tabular-nums}main{max-width:1320px;margin:0 auto;padding:32px 24px}
h1{font-size:26px;line-height:1.25;margin:0 0 8px;max-width:1000px;letter-spacing:-.01em}
h2{font-size:15px;margin:0 0 12px}p{margin:0 0 8px}.sub{color:var(--text3)}
section{background:var(--surface);border:1px solid var(--line);border-radius:12px;padding:16px 20px;margin:16px 0}
.scroll{overflow-x:auto}ul{list-style:none;margin:0;padding:0}li{padding:4px 0;
display:flex;gap:12px;align-items:baseline}
.pill{border-radius:8px;padding:1px 8px;font-size:11.5px;font-weight:600;flex:none}
.pill.good{color:var(--good);background:var(--good-on)}.pill.warn{color:var(--warn);background:var(--warn-on)}
.pill.bad{color:var(--bad);background:var(--bad-on)}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(270px,1fr));gap:16px;margin:16px 0}
.cards section{margin:0;padding:14px 16px 8px}.card-head{display:flex;justify-content:space-between;color:var(--text2)}
.big{font-size:20px;font-weight:650}.usual{font-size:12.5px;color:var(--text3);margin:0 0 4px}
table{border-collapse:collapse;width:100%;font-size:12.5px}
th{color:var(--text3);font-weight:500;text-align:right;padding:4px 10px;border-bottom:1px solid var(--line);
white-space:nowrap}td{text-align:right;padding:3px 10px;border-bottom:1px solid var(--line);white-space:nowrap}
tr:last-child td{border-bottom:0}.name{text-align:left;max-width:340px;overflow:hidden;text-overflow:ellipsis}
td.warn{color:var(--warn);background:var(--warn-on);font-weight:600}td.bad{color:var(--bad);background:var(--bad-on);
font-weight:600}svg{display:block}.spark{display:inline-block;vertical-align:middle}.band-chart,.bars{width:100%;
height:auto}.line{fill:none;stroke:var(--accent);stroke-width:1.5;stroke-linejoin:round}.lone{fill:var(--accent)}
.band,.bar{fill:var(--soft)}.bar{fill:var(--accent);opacity:.75}.axis,.grid{stroke:var(--line);fill:none}
.mark{stroke:var(--text);stroke-width:1.5;fill:none}.tick{fill:var(--text3);font-size:10.5px}.dot.good{fill:var(--accent)}
.dot.warn{fill:var(--warn)}.dot.bad{fill:var(--bad)}details summary{cursor:pointer;color:var(--text2)}
@media(max-width:600px){main{padding:20px 12px}h1{font-size:20px}section{padding:12px}}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_CHARTED = 12


def quality_page(day: DayQuality, *, shop: str) -> str:
    """Return the page.

    Args:
        day: The day judged, with its numbers.
        shop: The shop's name.
    """
    report = day.report
    cards = "".join(_card(figure, report.days) for figure in _charted(report.figures))
    return "".join(
        [
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>Quality of {escape(report.day)}, {escape(shop)}</title><style>{_STYLE}</style></head>",
            "<body><main>\n",
            f'<p class="sub">{escape(shop)} · data of {escape(report.day)}, UTC</p>',
            f"<h1>{escape(report.overall.sentence)}</h1>\n",
            _findings(report.overall, report.checks, report.findings),
            f'<div class="cards">{cards}</div>\n',
            _hours(day),
            *(_table(table) for table in day.tables),
            "</main></body></html>\n",
        ]
    )


def _charted(figures: Sequence[Judged]) -> list[Judged]:
    """Return the figures that get a chart: how much came, and all that is outside its usual range."""
    volume = [figure for figure in figures if figure.group == "volume"]
    off = [figure for figure in figures if figure.group != "volume" and figure.check.tone is not Tone.GOOD]
    return [*volume, *off[:_CHARTED]]


def _pill(tone: Tone) -> str:
    return f'<span class="pill {tone.value}">{tone.value}</span>'


def _findings(overall: Check, checks: Sequence[Check], findings: Sequence[Judged]) -> str:
    told_ = [*(finding.check for finding in findings), *checks]
    lines = "".join(f"<li>{_pill(check.tone)}<span>{escape(check.sentence)}</span></li>" for check in told_)
    return f"<section><h2>Findings {_pill(overall.tone)}</h2><ul>{lines}</ul></section>\n"


def _card(figure: Judged, days: Sequence[str]) -> str:
    band = None if figure.low is None or figure.high is None else (figure.low, figure.high)
    usual = f"usually {told(band[0], figure.scale)} to {told(band[1], figure.scale)}" if band else "too little history"
    chart = band_svg(figure.values, days, band, tone=figure.check.tone.value)
    return (
        f'<section><div class="card-head"><span>{escape(figure.name)}</span>{_pill(figure.check.tone)}</div>'
        f'<div class="big">{told(figure.value, figure.scale)}</div><p class="usual">{usual}</p>{chart}</section>'
    )


def _hours(day: DayQuality) -> str:
    names = [f"{hour:02d}" for hour in range(24)]
    note = '<p class="sub">Bars: the day. Marks: the median of the days before.</p>' if day.hours_before else ""
    chart = bars_svg(day.hours, day.hours_before, names)
    return f"<section><h2>Events by hour, UTC</h2>{note}{chart}</section>\n"


def _table(table: Evidence) -> str:
    heads = "".join(f"<th{_named(at, table)}>{escape(head)}</th>" for at, head in enumerate(table.heads))
    rows = "".join(f"<tr>{''.join(_cell(cell, at, table) for at, cell in enumerate(row))}</tr>" for row in table.rows)
    return (
        f'<section><h2>{escape(table.title)}</h2><div class="scroll"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>\n"
    )


def _named(at: int, table: Evidence) -> str:
    return ' class="name"' if at < table.num_named else ""


def _cell(cell: Cell, at: int, table: Evidence) -> str:
    if cell.series:
        return f"<td>{spark_svg(cell.series)}</td>"
    tone = f' class="{cell.tone.value}"' if cell.tone is not Tone.GOOD else _named(at, table)
    return f"<td{tone}>{escape(cell.text)}</td>"
