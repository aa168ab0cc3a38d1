from endcap.flows.intake import intake_rows


class Kept:
    """The part of a ledger that is asked."""

    def __init__(self, *days):
        self.days = days

    def outputs(self, step):
        assert step == "ingest"
        return {str(at): {"counts": counts} for at, counts in enumerate(self.days)}


def test_days_are_added_up_by_event_name_most_events_first():
    rows = intake_rows(
        Kept(
            {"purchase": {"events_read": 1, "events_kept": 1, "events_folded": 0}},
            {"purchase": {"events_read": 2, "events_kept": 2}, "quickview": {"events_read": 9, "events_kept": 1}},
        )
    )
    assert rows == [
        {"event_name": "quickview", "events_read": 9, "events_kept": 1},
        {"event_name": "purchase", "events_read": 3, "events_kept": 3},
    ]


def test_nothing_taken_in_is_no_row():
    assert intake_rows(Kept()) == []
