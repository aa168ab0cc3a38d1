from endcap.stores.adapters.sqlalchemy import SqlQuery
from endcap.stores.query import Query


def test_the_adapter_has_every_method_of_the_port():
    wanted = {name for name in vars(Query) if not name.startswith("_")}
    assert wanted
    assert wanted <= set(dir(SqlQuery))
