"""From single events to visits: which events belong together, and what became of each item that a list showed.

In: table `events`.
Out: tables `sessions` and `exposures`.
Verb: sessionize.
Must hold: every event lies in exactly one session; a click, cart or purchase belongs to at most one exposure; what is
computed day by day equals what is computed at once; the order of rows does not matter.
Not here: reading sources (events), counts and sequences of items (features), writing tables and the ledger (flows).
"""
