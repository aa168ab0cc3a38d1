from endcap.events.detected import Detected


def test_the_currency_is_the_one_read_off_the_feed():
    assert Detected("ga4", "drop", {"default_currency": "EUR"}).default_currency == "EUR"
    assert Detected("ga4", "drop", {}).default_currency is None
