"""The daemon as it runs: its parts opened and closed in order, timers, draining, reloading, systemd."""
