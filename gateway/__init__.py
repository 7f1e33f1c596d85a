"""The gateway: the daemon with charging, texts, SIMs and books, its HTTP interface and its commands."""
