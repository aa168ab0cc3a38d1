import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from endcap.core.clock import day_start_us
from endcap.core.tables import EVENTS, ITEM_MENTIONS
from endcap.engines.contracts import check_contract
from endcap.engines.port import arrow_schema
from endcap.events.config import EventsConfig
from endcap.events.mentions import build_mentions

DAYS = ("2026-08-01", "2026-08-02")
TOLD = ("item_id", "title", "title_rows", "price_minor", "currency", "price_rows")


@pytest.fixture(scope="module")
def mentions(engine):
    """What events say, given as (day number, item, name, price_minor, currency), a minute apart."""

    def build(*rows, currency="USD"):
        told = [
            dict.fromkeys(EVENTS.names)
            | {"date_partition": DAYS[day], "at_us": day_start_us(DAYS[day]) + minute * 60_000_000}
            | dict(zip(("item_id", "item_name", "price_minor", "currency"), row, strict=True))
            for minute, (day, *row) in enumerate(rows)
        ]
        events = engine.read_arrow(pa.Table.from_pylist(told, schema=arrow_schema(EVENTS)))
        config = EventsConfig(source="drop", default_currency=currency)
        built = engine.materialise(build_mentions(events, config))
        check_contract(engine, built, ITEM_MENTIONS)
        return engine.to_arrow(built.order_by(["date_partition", "item_id"])).to_pylist()

    return build


def told(rows):
    return [tuple(row[name] for name in TOLD) for row in rows]


def test_the_price_is_the_median_in_the_default_currency(mentions):
    rows = [(0, "mug", "Mug", 100, "USD"), (0, "mug", "Mug", 901, "USD"), (0, "mug", "Mug", 5, "EUR")]
    assert told(mentions(*rows, *rows[2:] * 5)) == [("mug", "Mug", 8, 500, "USD", 2)]


def test_without_the_default_currency_the_one_that_most_rows_name_is_taken_then_the_first_by_name(mentions):
    eur, gbp = (0, "mug", "Mug", 5, "EUR"), (0, "mug", "Mug", 7, "GBP")
    for currency in ("USD", None):
        assert told(mentions(eur, gbp, gbp, currency=currency)) == [("mug", "Mug", 3, 7, "GBP", 2)]
        assert told(mentions(gbp, eur, currency=currency)) == [("mug", "Mug", 2, 5, "EUR", 1)]


def test_the_title_is_the_one_that_most_rows_tell_then_the_first_by_name(mentions):
    rows = [(0, "mug", name, None, None) for name in ("Mug", "A mug", "Mug", None, None, None)]
    assert told(mentions(*rows)) == [("mug", "Mug", 2, None, None, 0)]
    assert told(mentions(*rows[:2])) == [("mug", "A mug", 1, None, None, 0)]


def test_an_item_that_is_only_named_is_there_and_an_event_without_one_is_not(mentions):
    [jar] = mentions((0, None, None, None, None), (0, "jar", None, None, "USD"))
    assert tuple(jar[name] for name in TOLD) == ("jar", None, 0, None, None, 0)
    assert jar["first_us"] == day_start_us(DAYS[0]) + 60_000_000


row = st.tuples(
    st.sampled_from([0, 1]),
    st.sampled_from(["mug", "pen"]),
    st.sampled_from(["Mug", "Pen", None]),
    st.sampled_from([None, 1, 2, 9]),
    st.sampled_from(["USD", "EUR"]),
)


@settings(max_examples=3, deadline=None, derandomize=True, phases=[Phase.generate])
@given(rows=st.lists(row, min_size=1, max_size=12), seed=st.randoms())
def test_neither_the_order_of_events_nor_other_days_matter(mentions, rows, seed):
    at_once = mentions(*rows)
    shuffled = list(rows)
    seed.shuffle(shuffled)
    assert told(mentions(*shuffled)) == told(at_once)
    alone = [each for day in (0, 1) if (own := [row for row in rows if row[0] == day]) for each in mentions(*own)]
    assert told(alone) == told(at_once)
