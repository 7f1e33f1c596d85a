"""Fraud limits: lines whose use is suspicious are found by the unit that books it, barred if that is set, and reviewed."""
