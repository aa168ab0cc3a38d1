import pytest

from endcap.core.errors import Code, UsageError
from endcap.simulation.faults.choice import FAULTS, Faults, parse_faults

DAYS = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]


def test_nothing_is_asked_for_by_no_word():
    assert parse_faults([], days=DAYS) == Faults()


def test_all_asks_for_every_fault_on_two_days_that_differ():
    for days in (DAYS, DAYS[:3], DAYS[:2]):
        faults = parse_faults(["all"], days=days)
        assert all(getattr(faults, name) for name in FAULTS)
        assert faults.missing_day != faults.schema_change


def test_a_share_or_a_day_may_be_named_and_the_later_word_holds():
    faults = parse_faults(["late", "schema_change=2026-01-04", "late=0.5", "out_of_order"], days=DAYS)
    assert faults == Faults(late=0.5, schema_change="2026-01-04", out_of_order=True)


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("lat", "did you mean 'late'"),
        ("all=1", "there is no fault 'all'"),
        ("late=2", "no share between 0 and 1"),
        ("late=-0.1", "no share"),
        ("late=nan", "no share"),
        ("late=much", "no share"),
        ("out_of_order=0.1", "has no value"),
        ("missing_day=2026-02-01", "goes from 2026-01-01 to 2026-01-04"),
        ("schema_change=", "no day of the log"),
    ],
)
def test_a_word_that_is_not_understood_is_refused(word, told):
    with pytest.raises(UsageError, match=told) as caught:
        parse_faults([word], days=DAYS)
    assert (caught.value.code, caught.value.where) == (Code.USAGE, "--faults")
    assert "--faults all" in caught.value.fix


@pytest.mark.parametrize("word", ["missing_day", "missing_day=2026-01-01"])
def test_the_only_day_of_a_log_cannot_be_missing(word):
    with pytest.raises(UsageError, match="only day"):
        parse_faults([word], days=DAYS[:1])
    assert parse_faults(["all"], days=DAYS[:1]).missing_day == ""


def test_the_drift_shock_is_among_the_faults_that_are_known():
    with pytest.raises(UsageError, match="did you mean 'drift_shock'"):
        parse_faults(["drift-shock"], days=DAYS)
