"""Backups that go on while the gateway runs, and what is done when one has to be put in the store's place (decision 034)."""
