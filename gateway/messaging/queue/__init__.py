"""Texts out: parts wait in memory and in the store, go out by submit_sm, and what the SMSC says of them is written down."""
