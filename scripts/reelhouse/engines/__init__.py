"""All that differs between engines: a folder for each, with the same files.

`connection` opens it, `load` has the raw tables, `attempt` lets a run work so that a
failed one leaves no trace, `publish` shows what is built to readers in one step, and
`reading` answers them.
"""
