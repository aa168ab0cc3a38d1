import pytest

from endcap.testing.shop_mistakes import MISTAKES, MORE_MISTAKES, broken_shop


@pytest.mark.parametrize("name", MISTAKES | MORE_MISTAKES)
def test_each_mistake_changes_the_tables_that_it_names(name, engine, clean):
    mistake = (MISTAKES | MORE_MISTAKES)[name]
    if mistake.kept and len(mistake.kept) > 1:
        broken = broken_shop(engine, clean, name)
        assert [table for table, rows in broken.items() if not rows.equals(clean[table])] == [mistake.table]
