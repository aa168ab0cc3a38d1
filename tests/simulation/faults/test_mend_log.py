import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endcap.core.errors import UsageError
from endcap.simulation.faults.mend_log import mend_log

ONE = {
    "duplicates": 0.3,
    "late": 0.3,
    "out_of_order": True,
    "clock_skew": 0.5,
    "missing_fields": 0.5,
    "schema_change": "2026-01-02",
    "malformed": 0.3,
    "missing_day": "2026-01-02",
}
SHARE, DAY = st.floats(0, 1), st.sampled_from(["", "2026-01-01", "2026-01-02", "2026-01-03", "2026-01-05"])


@pytest.fixture
def is_mended(tmp_path_factory, log):
    """Say whether what comes out is the clean log: the same files, rows, order and schema."""

    def is_mended(made):
        out = tmp_path_factory.mktemp("mended") / "out"
        mend_log(made.faulty, made.record, out)
        names = sorted(path.name for path in log.iterdir())
        tables = [(pq.read_table(log / name), pq.read_table(out / name)) for name in names]
        assert sorted(path.name for path in out.iterdir()) == names
        return all(clean.equals(mended, check_metadata=True) for clean, mended in tables)

    return is_mended


@pytest.mark.parametrize("fault", ONE)
def test_each_fault_alone_is_undone(broken, is_mended, fault):
    made = broken(**{fault: ONE[fault]})
    assert made.counts[fault] > 0
    assert is_mended(made)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    duplicates=SHARE,
    late=SHARE,
    out_of_order=st.booleans(),
    clock_skew=SHARE,
    missing_fields=SHARE,
    schema_change=DAY,
    malformed=SHARE,
    missing_day=DAY,
)
def test_all_faults_together_are_undone(broken, is_mended, seed, **faults):
    assert is_mended(broken(seed=seed, **faults))


def test_a_folder_with_something_in_it_is_refused(broken, log):
    made = broken()
    with pytest.raises(UsageError, match="something in the folder"):
        mend_log(made.faulty, made.record, log)
