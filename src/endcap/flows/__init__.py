"""The flows: rooms put in order, run by fingerprint and recorded in the ledger; the only room that knows the order.

In: a shop's folder. Out: tables, models, a bundle in force, a health report, rows in the ledger.
Verb: refresh (and each step's own verb).
Must hold: run twice, nothing is written the second time; killed at any moment, the next run completes it.
Not here: what a step computes (its room), where things lie (stores, chosen in `wiring/`).
"""
