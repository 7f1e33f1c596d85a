"""What goes over the wire between the lane and a PostgreSQL server, as libpq traces it."""

import itertools
import tempfile
from contextlib import contextmanager


@contextmanager
def wire(place):
    """Trace the lane's connection while the block runs; gives the list that gets a line a message at its end."""
    messages = []
    connection = place.lane._transactions.connection.connection.driver_connection.pgconn
    with tempfile.TemporaryFile("w+") as file:
        connection.trace(file.fileno())
        try:
            yield messages
        finally:
            connection.untrace()
            file.seek(0)
            messages += file.read().splitlines()


def round_trips(messages):
    """How often the lane turned from sending to waiting: the server's first message after one of the lane's."""
    ways = [line.split("\t")[1] for line in messages]
    return sum((before, after) == ("F", "B") for before, after in itertools.pairwise(ways))
