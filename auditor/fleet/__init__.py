"""Many submissions: worker processes that may crash or hang, a journal that survives a kill, one result file."""
