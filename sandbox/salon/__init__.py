"""The salon that the sandbox runs: its calendar at Cal.com's stand-in, and the whole project started around it.

`calendar` makes the stand-in's world from a tenant document, `running` starts engine, functions, front and
stand-in and loads the tenant, `handle` is the note that other programs find the running stack by.
"""
