"""What `benchmarks.data` compares must be the same thing: the whole data path agrees with SQL written by hand."""

import pytest
from benchmarks.click_log import make_click_log
from benchmarks.data_path import by_hand, by_refresh, by_rooms, sums_of
from benchmarks.one_more_day import one_more_day

from endcap.flows.shop import USER_KEY_VARIABLE

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv(USER_KEY_VARIABLE, "5e" * 32)


def test_sql_by_hand_the_rooms_functions_and_a_refresh_make_the_same_events_and_sessions(tmp_path):
    events = make_click_log(tmp_path / "log", days=3, rows_a_day=2_000)
    sums = []
    for way in (by_hand, by_rooms, by_refresh):
        way(tmp_path / "log", tmp_path / way.__name__)
        sums.append(sums_of(tmp_path / way.__name__))
    assert sums[0]["events"] == sums[0]["num_events"] == events < 6_000
    assert 3 * 2_000 / 15 < sums[0]["sessions"] < 3 * 2_000 / 5
    assert sums[1] == sums[0]
    assert sums[2] == sums[0]


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
