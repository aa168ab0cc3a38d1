import xml.etree.ElementTree as ET

import pytest

from endcap.monitoring.charts import band_svg, bars_svg, spark, spark_svg

DRAWN = [
    band_svg([1, None, 3, 2], ["a", "<b>", "c", "d"], (1.0, 2.5), tone="warn"),
    bars_svg([0, 4], [1.0, 2.0], ["00", "<01>"]),
    spark_svg([None, 1, None]),
    spark_svg([0, 0]),
]


@pytest.mark.parametrize("drawn", DRAWN)
def test_a_chart_is_well_formed_whatever_it_is_of(drawn):
    assert ET.fromstring(drawn).tag == "svg"  # noqa: S314 - our own
    assert "nan" not in drawn


def test_blocks_reach_from_nothing_to_the_greatest():
    assert spark([0, 8]) == "▁█"
    assert spark([0, 0]) == "▁▁"
    assert spark([None, 1]) == " █"


def test_a_gap_parts_a_line_and_a_lone_day_is_a_dot():
    drawn = band_svg([1, 2, None, 3], [], None, tone="good")
    assert drawn.count("<polyline") == 1
    assert drawn.count('class="lone"') == 1
