import pytest
from pydantic import ValidationError

from endcap.stores.config import StoresConfig


def test_versions_stay_a_week_and_eight_small_files_are_many():
    settings = StoresConfig()
    assert (settings.keep_versions_days, settings.compact_files, settings.small_file_mb) == (7, 8, 16.0)


@pytest.mark.parametrize("wrong", [{"keep_versions_days": 0}, {"compact_files": 1}, {"small_file_mb": 0}])
def test_versions_of_today_cannot_be_given_up_nor_one_file_be_put_together(wrong):
    with pytest.raises(ValidationError):
        StoresConfig(**wrong)
