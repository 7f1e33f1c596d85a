"""How long a test waits for what has to come: by then something hangs, on however busy a machine."""

PATIENCE = 90.0
"""Seconds. Only a test that fails waits so long: what is there sooner is seen sooner."""
