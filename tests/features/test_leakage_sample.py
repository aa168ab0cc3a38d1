import pyarrow as pa

from endcap.features.leakage_sample import day_number, rows_of, sample


def drawn(engine, ids, count):
    table = engine.read_arrow(pa.table({"user_key": ids}))
    return {row["user_key"] for row in rows_of(engine, sample(engine, table, "user_key", count))}


def test_a_sample_is_the_same_at_every_look_whatever_the_order_and_the_repetitions(engine):
    ids = [f"user-{number}" for number in range(50)]
    once = drawn(engine, ids, 10)
    assert len(once) == 10
    assert once == drawn(engine, ids[::-1] * 3, 10)
    assert once < drawn(engine, ids, 20)


def test_a_sample_of_all_is_all(engine):
    assert drawn(engine, ["a", "b", "b"], 9) == {"a", "b"}


def test_a_day_has_its_number():
    assert day_number("2016-09-02") - day_number("2016-08-31") == 2
