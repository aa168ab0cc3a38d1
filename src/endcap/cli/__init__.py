"""The command line: one file a verb. Flags choose what to run; settings stand in endcap.toml.

In: words typed. Out: text for people, or JSON with `--json`.
Must hold: exit code 0 when it is done, 2 for what the user can mend, 130 when interrupted; never a traceback.
Not here: any decision about data (its room) or order (flows).
"""
