"""Gy/Ro, Diameter's face of charging: requests read, answers written, RAR and ASR sent (RFC 8506, TS 32.299)."""
