import datetime as dt

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from endcap.core.errors import Code, DataError, SourceError
from endcap.core.sequences import EVENT_KINDS
from endcap.flows.interactions import read_interactions

COLUMNS = {"user": "who", "item": "what", "time": "at"}


def written(folder, **columns):
    pq.write_table(pa.table(columns), folder / "file.parquet")
    return folder / "file.parquet"


def told(found):
    sequences = found.sequences
    return [
        (sequences.users[at], sequences.items[start:end].tolist(), sequences.at_us[start:end].tolist())
        for at, (start, end) in enumerate(zip(sequences.starts, sequences.starts[1:], strict=False))
    ]


def test_rows_become_sequences_in_order_of_time_then_item(tmp_path):
    file = written(tmp_path, who=["u", "v", "u", "u"], what=["b", "a", "c", "a"], at=[7, 5, 9, 9])
    found = read_interactions(file, **COLUMNS)
    assert found.catalogue.item_ids == ("a", "b", "c")
    assert told(found) == [(1, [0], [5]), (0, [1, 0, 2], [7, 9, 9])]
    assert (found.num_rows, found.num_left_out, found.unit_us) == (4, 0, 0)


def test_a_session_is_one_users_also_where_names_are_equal(tmp_path):
    file = written(tmp_path, who=["u", "v", "u"], what=["a", "b", "c"], at=[1, 2, 3], visit=[1, 1, None])
    found = read_interactions(file, **COLUMNS, session="visit")
    assert told(found) == [(0, [0], [1]), (1, [1], [2]), (0, [2], [3])]


def test_kinds_of_events_are_known_by_their_usual_names_and_the_order_of_rows_does_not_matter(tmp_path):
    names = ["view", "addtocart", "Transaction", "purchase", "scroll", None, "view_item", "add_to_cart"]
    rows = {"who": ["u"] * 8, "what": list("aabbccdd"), "at": [1, 1, 2, 3, 4, 5, 6, 6], "did": names}
    found = read_interactions(written(tmp_path, **rows), **COLUMNS, event="did").sequences
    assert [EVENT_KINDS[number] for number in found.events] == [
        "view_item", "add_to_cart", "purchase", "purchase", "", "", "view_item", "add_to_cart"
    ]  # fmt: skip
    backwards = {name: values[::-1] for name, values in rows.items()}
    again = read_interactions(written(tmp_path, **backwards), **COLUMNS, event="did").sequences
    assert again.events.tolist() == found.events.tolist()
    assert read_interactions(written(tmp_path, **rows), **COLUMNS).sequences.events is None


def test_the_category_of_an_item_is_the_one_that_most_of_its_rows_tell(tmp_path):
    file = written(
        tmp_path, who=["u"] * 8, what=list("aaabbccd"), at=list(range(8)), of=["x", "y", "y", "z", "x", "", None, None]
    )
    catalogue = read_interactions(file, **COLUMNS, category="of").catalogue
    assert catalogue.categories == ("y", "x", "", "")
    assert read_interactions(file, **COLUMNS).catalogue.categories is None


def test_a_segment_is_what_a_column_says_of_each_row_and_the_order_of_rows_does_not_matter(tmp_path):
    rows = {"who": ["u"] * 4, "what": list("abba"), "at": [3, 1, 1, 2], "on": ["desk", "phone", None, "desk"]}
    found = read_interactions(written(tmp_path, **rows), **COLUMNS, segment="on")
    assert (found.segment.column, found.segment.names) == ("on", ("", "desk", "phone"))
    assert found.sequences.segments.tolist() == [0, 2, 1, 1]
    backwards = {name: values[::-1] for name, values in rows.items()}
    again = read_interactions(written(tmp_path, **backwards), **COLUMNS, segment="on")
    assert again.sequences.segments.tolist() == [0, 2, 1, 1]
    assert read_interactions(written(tmp_path, **rows), **COLUMNS).sequences.segments is None


def test_rows_without_a_user_an_item_or_an_instant_are_left_out_and_counted(tmp_path):
    file = written(tmp_path, who=["u", None, "w", "x"], what=["a", "b", None, "d"], at=[1, 2, 3, None])
    found = read_interactions(file, **COLUMNS)
    assert (found.num_left_out, found.catalogue.item_ids) == (3, ("a",))


@pytest.mark.parametrize(
    ("at", "instant", "unit_us"),
    [
        (dt.datetime(2016, 9, 15, 0, 0, 1), 1473897601000000, 1),  # noqa: DTZ001 - files have such
        (dt.datetime(2016, 9, 15, 0, 0, 1, tzinfo=dt.UTC), 1473897601000000, 1),
        (dt.date(2016, 9, 15), 1473897600000000, 1),
        ("2016-09-15 00:00:01", 1473897601000000, 1),
        (1473897601.0, 1473897601, 1_000_000),
        (1473897601000, 1473897601000, 1_000),
        (1473897601000000, 1473897601000000, 1),
        (12, 12, 0),
    ],
)
def test_instants_may_be_times_or_integers(tmp_path, at, instant, unit_us):
    found = read_interactions(written(tmp_path, who=["u"], what=["a"], at=[at]), **COLUMNS)
    assert (found.sequences.at_us.tolist(), found.unit_us) == ([instant], unit_us)


def test_a_csv_file_is_read_alike(tmp_path):
    table = pa.table({"who": [3, 3], "what": [10, 9], "at": ["2016-09-15T00:00:00", "2016-09-16T00:00:00"]})
    pacsv.write_csv(table, tmp_path / "file.csv")
    found = read_interactions(tmp_path / "file.csv", **COLUMNS)
    assert found.catalogue.item_ids == ("10", "9")
    assert found.sequences.items.tolist() == [0, 1]


def test_a_missing_column_names_the_near_ones(tmp_path):
    with pytest.raises(DataError, match="did you mean 'what'") as caught:
        read_interactions(written(tmp_path, who=["u"], what=["a"], at=[1]), user="who", item="wha", time="at")
    assert caught.value.code == Code.INTERACTIONS_COLUMN


def test_instants_that_are_no_times_are_refused(tmp_path):
    with pytest.raises(DataError, match="is no time"):
        read_interactions(written(tmp_path, who=["u"], what=["a"], at=["soon"]), **COLUMNS)
    with pytest.raises(DataError, match="is no time"):
        read_interactions(written(tmp_path, who=["u"], what=["a"], at=[1.5]), **COLUMNS)


def test_a_file_that_is_missing_or_broken_is_said_so(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        read_interactions(tmp_path / "none.parquet", **COLUMNS)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SourceError, match="cannot be read"):
        read_interactions(tmp_path / "broken.parquet", **COLUMNS)
    (tmp_path / "broken.csv").write_bytes(b"a,b\n1\n1,2,3\n")
    with pytest.raises(SourceError, match="cannot be read"):
        read_interactions(tmp_path / "broken.csv", **COLUMNS)


def test_a_file_without_rows_has_no_sequences(tmp_path):
    file = written(tmp_path, who=pa.array([], pa.string()), what=pa.array([], pa.string()), at=pa.array([], pa.int64()))
    found = read_interactions(file, **COLUMNS)
    assert (len(found.sequences), len(found.catalogue)) == (0, 0)
