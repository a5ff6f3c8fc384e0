"""The transformer and its named parts."""
