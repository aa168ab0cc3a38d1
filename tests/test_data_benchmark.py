"""What `benchmarks.data` compares must be the same thing: the whole data path agrees with SQL written by hand."""

import pytest
from benchmarks.click_log import make_click_log
from benchmarks.data_path import by_hand, by_refresh, make_export, sums_of
from benchmarks.one_more_day import one_more_day

from endcap.flows.shop import USER_KEY_VARIABLE

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv(USER_KEY_VARIABLE, "5e" * 32)


def test_sql_by_hand_and_a_refresh_make_the_same_of_an_export_with_faults(tmp_path):
    export = make_export(tmp_path / "world", days=3, visitors=300)
    by_hand(export, tmp_path / "sql", bytes.fromhex("5e" * 32))
    by_refresh(export, tmp_path / "shop")
    by_sql, by_us = sums_of(tmp_path / "sql"), sums_of(tmp_path / "shop")
    assert by_us == by_sql
    assert by_us["quarantine"]["reason"] > 3  # kinds of bad rows
    assert by_us["exposures"]["clicked"] > 50
    assert by_us["user_features"]["num_views_30d"] > by_us["user_features"]["num_views_1d"] > 0


def test_a_log_of_clicks_is_the_same_each_time(tmp_path):
    for name in ("a", "b"):
        make_click_log(tmp_path / name, days=2, rows_a_day=500)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["clicks_20260101.parquet", "clicks_20260102.parquet"]
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)


def test_one_more_day_has_the_events_that_it_has_alone(tmp_path, capsys):
    figures = one_more_day(tmp_path / "days", history_days=1, visitors=100, repeats=1)
    assert figures["incremental_rows_of_the_day"] > 0
    assert {"incremental_over_day", "incremental_cpu_over_day_max"} <= set(figures)
    assert capsys.readouterr().err.count("examples") == 3  # what each step took: history, alone, one more
