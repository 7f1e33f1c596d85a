"""The gateway itself: the daemon, its books, its desk for the network, its commands."""
