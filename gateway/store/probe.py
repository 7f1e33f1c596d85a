"""A unit that tries the store out."""

from gateway.store.batch import Batch, Unit


class Probe(Unit):
    """A unit that does nothing: what becomes of it tells whether the store can be written again."""

    def decide(self, batch: Batch) -> None:
        """Nothing."""
