import re
from html.parser import HTMLParser

from endcap.flows.compare_html import report_html
from endcap.flows.comparison import Comparison
from endcap.models.budget import NotFitted
from endcap.models.evaluation import Evaluation, ModelMeasures, Slice

VOID = {"meta", "img"}


class Outline(HTMLParser):
    """The tags of a page, and whether each one that is opened is closed in order."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def page():
    measures = ModelMeasures(
        {"hr@5": 0.5, "ndcg@5": 0.25, "mrr@5": 0.125}, {"hr@5": (0.4, 0.6), "ndcg@5": (0.2, 0.3), "mrr@5": (0.1, 0.2)}
    )
    counts = {"cases": 60, "users": 9, "items": 7, "undefined": 0, "same_instant": 0}
    slices = (Slice("untied", 60, 9, {"popular": measures}, ()), Slice("device=<b>", 3, 2, {}, ()))
    evaluation = Evaluation(
        protocol={"name": "time", "seen": "keep", "ks": [5]},
        counts=counts,
        models={"popular": measures},
        differences=(),
        slices=slices,
        fit_s={"popular": 0.1},
        not_fitted={"sequence": NotFitted("not started: 3 s < 4 s")},
    )
    found = Comparison(evaluation, {"split": "time:3", "final_fit": ""}, counts | {"rows": 9, "rows_left_out": 0})
    return report_html(found, {"quality": b"<svg/>", "time": b"<svg/>"})


def test_the_page_needs_nothing_else():
    outline = Outline(page())
    assert outline.open == []
    assert {name for name, _ in outline.tags}.isdisjoint({"script", "link", "iframe", "object"})
    assert not re.search(r"https?://|url\(|@import", page())
    assert all(each["src"].startswith("data:image/svg+xml;base64,") for each in outline.all("img"))


def test_who_reads_by_ear_or_keyboard_gets_everything():
    outline = Outline(page())
    assert outline.all("html") == [{"lang": "en"}]
    assert len(outline.all("h1")) == len(outline.all("main")) == len(outline.all("title")) == 1
    assert all(len(each["alt"]) > 40 for each in outline.all("img"))
    assert all("scope" in each for each in outline.all("th"))
    assert len(outline.all("caption")) == len(outline.all("table")) == 3
    assert all(each["tabindex"] == "0" and each["aria-label"] for each in outline.all("div"))


def test_values_of_the_data_are_text_and_never_markup():
    assert "device=&lt;b&gt;" in page()
    assert "<b>" not in page()
    assert "sequence: not started: 3 s &lt; 4 s" in page()


def test_the_page_begins_with_its_conclusions():
    assert '<p class="lead">The highest ndcg@5: popular with 0.2500, 95 % interval 0.2000..0.3000.</p>' in page()


def test_seconds_and_what_was_asked_stand_in_it():
    assert "Fitted in: popular 0.10 s." in page()
    assert "<li>split: time:3</li>" in page()
    assert "final_fit" not in page()
