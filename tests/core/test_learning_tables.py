from endcap.core.learning_tables import EXAMPLES, ITEM_FEATURES, USER_FEATURES, WINDOWS_DAYS


def test_each_count_has_a_column_for_each_window():
    for table in (USER_FEATURES, ITEM_FEATURES):
        stems = {name.removesuffix("_1d") for name in table.names if name.endswith("_1d")}
        assert stems
        assert {f"{stem}_{days}d" for stem in stems for days in WINDOWS_DAYS} <= set(table.names)


def test_each_negative_has_a_kind_and_a_probability():
    lists = [column.name for column in EXAMPLES.columns if column.name.startswith("negative_")]
    assert lists == ["negative_item_ids", "negative_p", "negative_kinds"]
