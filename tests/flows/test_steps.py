from pathlib import Path

import endcap
from endcap.core.tables import TABLES
from endcap.flows.config import ShopConfig
from endcap.flows.steps import FIRST_STEP, STEPS

SOURCES = Path(endcap.__file__).parent


def test_every_step_has_a_name_of_its_own_and_only_pull_stands_before_ingest():
    names = [step.name for step in STEPS]
    assert len(set(names)) == len(names)
    assert names[:2] == ["pull", FIRST_STEP] == ["pull", "ingest"]


def test_what_a_step_names_exists():
    for step in STEPS:
        assert all((SOURCES / part).exists() for part in step.code), step.name
        assert set(step.sections) <= set(ShopConfig.model_fields), step.name


def test_every_table_of_the_house_is_written_by_a_step():
    assert {table.name for step in STEPS for table in step.writes} == set(TABLES)
