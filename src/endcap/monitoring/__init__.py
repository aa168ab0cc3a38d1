"""Is the shop well? Checks of what a refresh made, each told in a sentence with its numbers.

In: counts and measures that a refresh has gathered. Out: a health report.
Verb: check.
Must hold: every conclusion comes out of one verdict function, and whoever shows a report adds none.
Not here: gathering the numbers (flows), latency of single requests (serving's metrics).
"""
