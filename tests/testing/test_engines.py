import pytest

from endcap.engines.adapters.duckdb import DuckDBEngine
from endcap.testing.engines import ENGINE_CHECKS


class Blind(DuckDBEngine):
    """An engine whose digests see no value."""

    def partition_digests(self, materialised, table):
        found = super().partition_digests(materialised, table)
        return {day: {**told, "digest": "0" * 32} for day, told in found.items()}


def test_an_engine_whose_digests_see_nothing_does_not_pass(tmp_path):
    blind = Blind(memory_limit="1GB", threads=1, spill=tmp_path / "spill")
    (check,) = (each for each in ENGINE_CHECKS if "changed_value" in each.__name__)
    with pytest.raises(AssertionError):
        check(blind, tmp_path)
    blind.close()
