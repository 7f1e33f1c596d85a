"""Octets to messages to sessions. Knows no business, no clock, no log, no configuration."""
