import msgspec

from endcap.core.landed import LandedEvent, LandedItem


def test_an_event_is_one_line_with_every_field_in_order():
    event = LandedEvent(
        event_id="e", event_name="search", at_us=1, received_us=2, user_key="u", items=(LandedItem(item_id="A"),)
    )
    assert msgspec.json.encode(event) == (
        b'{"event_id":"e","event_name":"search","at_us":1,"user_key":"u","received_us":2,"device_key":null,'
        b'"source_session_id":null,"currency":null,"value_minor":null,"transaction_id":null,"item_list_id":null,'
        b'"search_term":null,"recommendation_id":null,"country":null,"device_category":null,"items":[{"item_id":"A",'
        b'"item_name":null,"item_variant":null,"price_minor":null,"quantity":null,"place":null}]}'
    )
