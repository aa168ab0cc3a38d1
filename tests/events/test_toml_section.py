import tomllib

from endcap.events.config import EventsConfig
from endcap.events.detected import Detected
from endcap.events.toml_section import toml_section


def test_the_text_reads_back_as_the_settings():
    settings = {
        "default_currency": "USD",
        "renames": {"Product Viewed": "view_item"},
        "folds": [{"event_name": "quickview", "into": "view_item", "within_s": 2.0}],
        "reader": {"kind": "ga4", "files": "events_*.parquet"},
        "catalogue": {"kind": "merchant", "file": "catalog.tsv"},
    }
    text = toml_section(Detected("ga4", '/drop/a "b"', settings))
    config = EventsConfig(**tomllib.loads(text)["events"])
    assert config == EventsConfig(source='/drop/a "b"', **settings)
    assert "# max_bad_share = 0.2" in text
    assert "# columns = {}" in text


def test_columns_without_a_guess_stand_as_comments():
    rule = {"event_name": "purchase", "when": [{"column": "quantity", "above": 0}]}
    reader = {"kind": "mapped", "files": "*.parquet", "time": "ts", "user_id": "customer", "rules": [rule]}
    text = toml_section(Detected("mapped", "drop", {"reader": reader}, unsure={"colour": "string"}))
    assert "#   colour: string" in text
    assert '# default_currency = ""' in text
    assert EventsConfig(**tomllib.loads(text)["events"]) == EventsConfig(source="drop", reader=reader)


def test_what_a_catalogue_may_have_by_day_is_told_beside_what_it_has():
    catalogue = {"kind": "merchant", "file": "", "feeds": "feeds/*.tsv"}
    reader = {"kind": "ga4", "files": "events_*.parquet"}
    text = toml_section(Detected("ga4", "drop", {"reader": reader, "catalogue": catalogue}))
    assert '\nfeeds = "feeds/*.tsv"\n' in text
    assert '\n# updates = ""\n' in text
    assert EventsConfig(**tomllib.loads(text)["events"]).catalogue.feeds == "feeds/*.tsv"
