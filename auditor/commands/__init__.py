"""Commands: one module per `pgolf` command with `register(app)`; typer only: parse, call a use case, render, exit.

`auditor.cli` finds them by scanning, so a module here imports nothing but typer at its top: `pgolf --help` imports all.
"""
