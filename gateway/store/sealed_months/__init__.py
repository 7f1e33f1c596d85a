"""Months that are over, moved out of an SQLite store into read-only files beside it (decision 037)."""
