"""The name of an account that settings know too, which are read without a store."""

UNASSIGNED = "unassigned"
"""Whose account has the giving of those who chose no cause: no cause can be called so."""
