"""The host network to test against: a PGW that charges by Gy, and its traffic. Knows the protocols, not the gateway."""
