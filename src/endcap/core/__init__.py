"""The nouns of the house: contracts of tables, arrays of sequences, errors, clock, ids, manifests.

In: nothing. Out: types that every room may use.
Must hold: knows numpy and msgspec and no other library; does no I/O but for reading the machine's clock.
Not here: arithmetic of measures (metrics), files and databases (stores).
"""
