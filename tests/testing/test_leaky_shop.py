from endcap.core.tables import TABLES
from endcap.engines.contracts import check_contract


def test_the_clean_shop_keeps_its_contracts(engine, clean):
    for name, rows in clean.items():
        check_contract(engine, engine.read_arrow(rows), TABLES[name])
        assert len(rows)
