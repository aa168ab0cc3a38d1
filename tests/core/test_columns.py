from endcap.core.columns import DAY, ITEM, SESSION, USER
from endcap.core.tables import TABLES


def test_a_shared_column_is_the_same_wherever_it_must_be_there():
    for column in (DAY, ITEM, SESSION):
        told = [table.column(column.name) for table in TABLES.values() if column.name in table.names]
        assert len(told) > 2
        assert all((each.kind, each.names_user) == (column.kind, column.names_user) for each in told)


def test_whoever_has_a_users_key_says_that_it_names_a_person():
    told = [table.column(USER.name) for table in TABLES.values() if USER.name in table.names]
    assert all(each.names_user for each in told)
