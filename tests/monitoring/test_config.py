import pytest
from pydantic import ValidationError

from endcap.monitoring.config import Limits, MonitoringConfig


def test_the_defaults_are_in_order():
    limits = [value for _, value in MonitoringConfig() if isinstance(value, Limits)]
    assert len(limits) == 10
    assert all(each.warn < each.bad for each in limits)


def test_a_warning_beyond_the_alarm_is_refused():
    with pytest.raises(ValidationError, match=r"warn \(3\) must not be greater than bad \(2\)"):
        MonitoringConfig.model_validate({"lag_days": {"warn": 3, "bad": 2}})


def test_an_unknown_key_is_refused():
    with pytest.raises(ValidationError, match="volumes"):
        MonitoringConfig.model_validate({"volumes": 3})


def test_every_setting_tells_its_unit_and_meaning():
    for name, each in MonitoringConfig.model_fields.items():
        assert each.description, name
