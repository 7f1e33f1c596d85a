"""A year of an operator in its own time: `tpo simulate year`. Alone among the simulators it opens the gateway in its own
process, since the year's clock is the gateway's."""
