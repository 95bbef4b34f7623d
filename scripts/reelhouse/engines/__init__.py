"""Everything that differs between engines: one folder per engine, with the same files.

`connection` opens it, `load` handles the raw tables, `attempt` lets a run fail without
leaving a trace, `publish` makes built tables visible to readers in one step, and
`reading` answers their questions.
"""
