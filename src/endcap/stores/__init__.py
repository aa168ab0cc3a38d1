"""Where things are kept: tables (the lake), the catalog database, key-value state. Ports here, adapters in `adapters/`.

In: Arrow streams, rows, bytes. Out: the same, at an exact version.
Must hold: a commit is seen whole or not at all; a writer that lost its lease cannot commit.
Not here: what is computed (batch rooms, engines), which adapter is used (flows/wiring).
"""
