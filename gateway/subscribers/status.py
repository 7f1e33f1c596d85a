"""How a subscriber stands."""

ACTIVE, SUSPENDED, CLOSING, TERMINATED = "active", "suspended", "closing", "terminated"
"""A subscriber's status: only an active one is granted anything."""
