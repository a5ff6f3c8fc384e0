"""Models of library calls as data, one loader."""
