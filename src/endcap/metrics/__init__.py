"""Arithmetic on arrays: how good a ranking is, how sure we are, how far two distributions lie apart.

In: numpy arrays.
Out: numbers and numpy arrays.
Must hold: pure (no file, no clock, no state); what is undefined is NaN, never 0; the same input gives the same bits.
Not here: fitting, scoring, reading anything.
"""
