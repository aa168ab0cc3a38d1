import numpy as np

from endcap.flows.cost import Meter


def test_work_is_seen_in_seconds_memory_and_bytes(tmp_path):
    meter = Meter()
    block = np.ones(40_000_000 // 8)
    (tmp_path / "file").write_bytes(block.tobytes())
    total = sum(number * number for number in range(300_000))
    cost = meter.read()
    assert total > 0
    assert cost.wall_s > 0
    assert cost.cpu_s > 0
    assert cost.peak_rss_bytes > 40_000_000
    assert cost.bytes_written >= 40_000_000


def test_a_new_meter_begins_at_nothing():
    cost = Meter().read()
    assert cost.bytes_written < 1_000_000
    assert cost.cpu_s < 5
