from types import SimpleNamespace

import pyarrow as pa
import pytest

from endcap.core.errors import Code, DataError, SourceError
from endcap.events.checks import check_intake, raw_ids_found

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


def test_matching_sums_pass(engine, config, ingested):
    good = ingested(("read", "", 3, 5), ("kept", "", 2, 3), ("folded", "", 1, 2))
    assert len(check_intake(engine, good, config, claimed=[DAY])) == 3


def test_a_row_that_is_not_accounted_for_is_an_error(engine, config, ingested):
    with pytest.raises(DataError, match="0 events and 1 rows of 'search'") as caught:
        check_intake(engine, ingested(("read", "", 1, 2), ("kept", "", 1, 1)), config, claimed=[DAY])
    assert caught.value.code == Code.CONTRACT_BROKEN


def test_a_raw_key_is_an_error_that_does_not_show_it(engine, config, ingested):
    with pytest.raises(DataError, match="user_key holds 1 values") as caught:
        check_intake(engine, ingested(("read", "", 1, 1), ("kept", "", 1, 1), user_key="ann"), config, claimed=[DAY])
    assert "ann" not in str(caught.value)


def test_a_claimed_day_without_events_is_an_error_unless_allowed(engine, config, ingested):
    good = ingested(("read", "", 1, 1), ("kept", "", 1, 1))
    with pytest.raises(SourceError, match="2026-08-02") as caught:
        check_intake(engine, good, config, claimed=[DAY, "2026-08-02"])
    assert caught.value.code == Code.SOURCE_EMPTY_DAY
    check_intake(engine, good, config.model_copy(update={"allow_empty_days": True}), claimed=[DAY, "2026-08-02"])


def test_a_handful_of_bad_rows_passes_and_many_are_an_error(engine, config, ingested):
    check_intake(
        engine, ingested(("read", "", 3, 3), ("kept", "", 1, 1), ("quarantined", "r", 2, 2)), config, claimed=[]
    )
    bad = ingested(("read", "", 99, 99), ("kept", "", 74, 74), ("quarantined", "price_negative", 25, 25))
    with pytest.raises(DataError, match=r"25 of 99 rows of 2026-08-01 are bad \(price_negative 25\)") as caught:
        check_intake(engine, bad, config, claimed=[])
    assert caught.value.code == Code.TOO_MANY_BAD_ROWS
    assert "renames and default_currency" in caught.value.fix
    without_item = ingested(("read", "", 99, 99), ("kept", "", 74, 74), ("quarantined", "item_missing", 25, 25))
    with pytest.raises(DataError) as caught:
        check_intake(engine, without_item, config, claimed=[])
    assert "with the item that they name" in caught.value.fix


@pytest.mark.parametrize(("day", "num_rows", "claimed"), [(DAY, 30, []), ("1970-01-01", 1, [])])
def test_rows_that_are_not_believed_yet_do_not_refuse_a_day(engine, config, ingested, day, num_rows, claimed):
    future = ingested(("read", "", num_rows, num_rows), ("quarantined", "at_in_future", num_rows, num_rows), day=day)
    check_intake(engine, future, config, claimed=claimed)


@pytest.mark.parametrize(("day", "num_rows", "claimed"), [(DAY, 1, [DAY]), ("1970-01-01", 30, [])])
def test_a_file_that_holds_nothing_but_the_future_is_refused(engine, config, ingested, day, num_rows, claimed):
    future = ingested(("read", "", num_rows, num_rows), ("quarantined", "at_in_future", num_rows, num_rows), day=day)
    with pytest.raises(DataError, match="at_in_future"):
        check_intake(engine, future, config, claimed=claimed)


def test_a_stray_day_may_be_bad_altogether_and_a_day_of_its_own_may_not(engine, config, ingested):
    bad = ingested(("read", "", 1, 1), ("quarantined", "item_missing", 1, 1))
    check_intake(engine, bad, config, claimed=[DAY], stray=[DAY])
    with pytest.raises(DataError, match="1 of 1 rows"):
        check_intake(engine, bad, config, claimed=[DAY])


def test_many_events_from_long_before_their_files_are_refused_with_the_setting_to_raise(engine, config, ingested):
    late = ingested(("read", "", 30, 30), ("quarantined", "at_too_late", 30, 30))
    with pytest.raises(DataError) as caught:
        check_intake(engine, late, config, claimed=[])
    assert "raise events.max_lateness_days" in caught.value.fix


def test_a_raw_id_is_found_in_any_text_column(engine):
    table = engine.read_arrow(pa.table({"user_key": [KEYED], "search_term": ["ann"], "num": [1]}))
    assert raw_ids_found(engine, table, engine.read_arrow(pa.table({"raw_id": ["ann"]}))) == {"search_term": 1}
