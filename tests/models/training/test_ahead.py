import threading
import time

import pytest

from endcap.models.training.ahead import ahead


def threads():
    return [each for each in threading.enumerate() if each.name == "batches"]


def test_values_come_in_their_order():
    assert list(ahead(iter(range(50)), 3)) == list(range(50))


def test_what_making_a_value_raises_is_raised_in_its_place():
    def values():
        yield 1
        raise LookupError("no batch")

    found = ahead(values(), 2)
    assert next(found) == 1
    with pytest.raises(LookupError, match="no batch"):
        next(found)
    assert threads() == []


def test_it_is_at_most_so_many_ahead_and_ends_when_nobody_wants_more():
    made = []

    def values():
        for number in range(1000):
            made.append(number)
            yield number

    found = ahead(values(), 2)
    assert next(found) == 0
    for _ in range(200):
        if len(made) == 4:  # the one that was taken, two that wait, and one in hand
            break
        time.sleep(0.01)
    assert len(made) == 4
    found.close()
    assert threads() == []
    assert len(made) <= 5
