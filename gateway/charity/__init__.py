"""The tenth: causes, what customers chose, and what accrues to whom."""
