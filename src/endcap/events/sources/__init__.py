"""One file for each kind of source: each reads its raw table into the one shape of `events/reading.py`."""
