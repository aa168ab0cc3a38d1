from types import SimpleNamespace

import pyarrow as pa
import pytest

from endcap.core.errors import Code, DataError
from endcap.events.checks import bad_days, check_intake, raw_ids_found

DAY = "2026-08-01"
KEYED = "a" * 32


@pytest.fixture
def ingested(engine):
    """An intake of which only the counts (outcome, reason, events, rows) and the keys matter."""

    def make(*counts, user_key=KEYED, day=DAY):
        names = ("date_partition", "event_name", "outcome", "reason", "num_events", "num_rows")
        rows = [dict(zip(names, (day, "search", *each), strict=True)) for each in counts]
        keys = pa.table({"user_key": [user_key], "device_key": pa.nulls(1, pa.string())})
        return SimpleNamespace(counts=engine.read_arrow(pa.Table.from_pylist(rows)), identified=engine.read_arrow(keys))

    return make


@pytest.fixture
def bad(engine, config, ingested):
    """The days that an intake of some counts would leave out."""

    def of(*counts, day=DAY, config=config, **days):
        return bad_days(check_intake(engine, ingested(*counts, day=day)), config, **{"claimed": [], **days})

    return of


def test_matching_sums_pass(engine, ingested):
    good = ingested(("read", "", 3, 5), ("kept", "", 2, 3), ("folded", "", 1, 2))
    assert len(check_intake(engine, good)) == 3


def test_a_row_that_is_not_accounted_for_is_an_error(engine, ingested):
    with pytest.raises(DataError, match="0 events and 1 rows of 'search'") as caught:
        check_intake(engine, ingested(("read", "", 1, 2), ("kept", "", 1, 1)))
    assert caught.value.code == Code.CONTRACT_BROKEN


def test_a_raw_key_is_an_error_that_does_not_show_it(engine, ingested):
    with pytest.raises(DataError, match="user_key holds 1 values") as caught:
        check_intake(engine, ingested(("read", "", 1, 1), ("kept", "", 1, 1), user_key="ann"))
    assert "ann" not in str(caught.value)


def test_a_claimed_day_without_events_is_bad_unless_allowed(bad, config):
    good = (("read", "", 1, 1), ("kept", "", 1, 1))
    found = bad(*good, claimed=[DAY, "2026-08-02"])
    assert {day: error.code for day, error in found.items()} == {"2026-08-02": Code.SOURCE_EMPTY_DAY}
    allowed = config.model_copy(update={"allow_empty_days": True})
    assert bad(*good, claimed=[DAY, "2026-08-02"], config=allowed) == {}


def test_a_handful_of_bad_rows_is_good_and_many_are_bad(bad):
    assert bad(("read", "", 3, 3), ("kept", "", 1, 1), ("quarantined", "r", 2, 2)) == {}
    error = bad(("read", "", 99, 99), ("kept", "", 74, 74), ("quarantined", "price_negative", 25, 25))[DAY]
    assert error.what == "25 of 99 rows of 2026-08-01 are bad (price_negative 25), more than 20%"
    assert error.code == Code.TOO_MANY_BAD_ROWS
    assert "renames and default_currency" in error.fix
    error = bad(("read", "", 99, 99), ("kept", "", 74, 74), ("quarantined", "item_missing", 25, 25))[DAY]
    assert "with the item that they name" in error.fix


@pytest.mark.parametrize(("day", "num_rows", "claimed"), [(DAY, 30, []), ("1970-01-01", 1, [])])
def test_rows_that_are_not_believed_yet_do_not_refuse_a_day(bad, day, num_rows, claimed):
    counts = ("read", "", num_rows, num_rows), ("quarantined", "at_in_future", num_rows, num_rows)
    assert bad(*counts, day=day, claimed=claimed) == {}


@pytest.mark.parametrize(("day", "num_rows", "claimed"), [(DAY, 1, [DAY]), ("1970-01-01", 30, [])])
def test_a_file_that_holds_nothing_but_the_future_is_bad(bad, day, num_rows, claimed):
    counts = ("read", "", num_rows, num_rows), ("quarantined", "at_in_future", num_rows, num_rows)
    assert "at_in_future" in bad(*counts, day=day, claimed=claimed)[day].what


def test_a_stray_day_may_be_bad_altogether_and_a_day_of_its_own_may_not(bad):
    counts = ("read", "", 1, 1), ("quarantined", "item_missing", 1, 1)
    assert bad(*counts, claimed=[DAY], stray=[DAY]) == {}
    assert "1 of 1 rows" in bad(*counts, claimed=[DAY])[DAY].what


def test_many_events_from_long_before_their_files_are_bad_with_the_setting_to_raise(bad):
    late = bad(("read", "", 30, 30), ("quarantined", "at_too_late", 30, 30))
    assert "raise events.max_lateness_days" in late[DAY].fix


def test_a_raw_id_is_found_in_any_text_column(engine):
    table = engine.read_arrow(pa.table({"user_key": [KEYED], "search_term": ["ann"], "num": [1]}))
    assert raw_ids_found(engine, table, engine.read_arrow(pa.table({"raw_id": ["ann"]}))) == {"search_term": 1}
