"""The host network to test against: a PGW that charges by Gy, and traffic for it. Knows the protocols and nothing of the gateway."""
