import pytest

from endcap.serving.meters import Meters


def test_two_applications_count_apart():
    first, second = Meters(), Meters()
    first.events.inc(3)
    assert "endcap_events_ingested_total 3.0" in first.text().decode()
    assert "endcap_events_ingested_total 0.0" in second.text().decode()


def test_a_stage_that_fails_is_timed_too():
    meters = Meters()
    with pytest.raises(ValueError, match="no"), meters.stage("sources"):
        raise ValueError("no")
    assert 'endcap_stage_duration_seconds_count{stage="sources"} 1.0' in meters.text().decode()


def test_every_meter_has_our_prefix_and_a_help_text():
    for line in Meters().text().decode().splitlines():
        assert line.startswith(("endcap_", "# HELP endcap_", "# TYPE endcap_"))
