"""Who may do what, what was done, and what may be told: access, audit and logging.

In: an actor, an action and a resource from every command and every route. Out: leave or a refusal, and an audit row.
Verb: require.
Must hold: nothing is decided anywhere else; no raw id of a user reaches the audit log or a log line.
Not here: where audit rows are kept (stores), keyed hashes (core.ids).
"""
