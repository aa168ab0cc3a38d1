from endcap.simulation.in_memory import live
from endcap.simulation.policies import Popular


def test_a_world_in_memory_is_the_one_that_is_written(made, lively):
    counts = dict.fromkeys(("sessions", "clicks", "paid_lines", "refused_lines"), 0)
    for each in live(lively, Popular()):
        lived = each.lived.made
        counts["sessions"] += len(lived.taste)
        counts["clicks"] += int((lived.place >= 0).sum())
        counts["paid_lines"] += int(lived.lines.is_paid.sum())
        counts["refused_lines"] += int(lived.lines.is_refused.sum())
    assert counts == {name: made.counts[name] for name in counts}


def test_every_block_lives_through_every_day(lively):
    told = [(each.day.number, each.block.people.block) for each in live(lively, Popular())]
    assert sorted(told) == [(day, block) for day in range(20) for block in range(3)]
    assert told[:6] == [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (1, 0)]


def test_shelves_may_be_changed_before_the_first_day(lively):
    def empty(shelves):
        shelves.pieces[:] = 0

    first = next(live(lively, Popular(), first=empty))
    assert not first.lived.made.is_carted.any()
    assert (first.pieces == 0).all()
