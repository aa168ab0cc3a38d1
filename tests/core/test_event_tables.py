from endcap.core.event_tables import BOTS, EVENTS, IDENTITIES, ITEMS, LOGINS, QUALITY


def test_who_is_who_is_told_in_columns_that_deletion_looks_for():
    for table in (EVENTS, LOGINS, IDENTITIES):
        assert {column.name for column in table.columns if column.names_user} >= {"user_key", "device_key"}
    assert BOTS.column("user_key").names_user


def test_what_is_told_of_the_shop_names_nobody():
    assert not any(column.names_user for table in (ITEMS, QUALITY) for column in table.columns)
