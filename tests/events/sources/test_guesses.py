import ibis.expr.datatypes as dt

from endcap.core.tables import CANONICAL_EVENT_NAMES
from endcap.events.sources.guesses import FOLDED_BY_DEFAULT, RENAMES, guess_columns


def test_columns_are_guessed_however_they_are_written():
    columns = ["InvoiceNo", "StockCode", "CustomerID", "When", "Colour"]
    kinds = dict.fromkeys(columns, dt.string) | {"When": dt.timestamp}
    assert guess_columns(columns, kinds) == {
        "transaction_id": "InvoiceNo",
        "item_id": "StockCode",
        "user_id": "CustomerID",
        "time": "When",
    }


def test_every_guess_is_a_canonical_name():
    assert {*RENAMES.values(), *FOLDED_BY_DEFAULT.values()} <= set(CANONICAL_EVENT_NAMES)
