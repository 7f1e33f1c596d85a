"""The right to see who gives to whom, and the note of each look that is made by it."""

from typing import Final

from gateway.store.batch import Batch, Unit
from gateway.store.tables import access_log

CAUSES: Final = "causes"
"""The right to see a customer's causes, and what each cause is owed exactly; no role has it by itself."""


class RecordAccess(Unit):
    """One look: who looked by which action, and at whose choice. It is committed before anything is shown.

    `subscriber_id` is None where the look is not at one alone.
    """

    actor: str
    action: str
    subscriber_id: int | None

    def decide(self, batch: Batch) -> None:
        """Write it down."""
        batch.add(access_log, (batch.take_id(), batch.now, self.actor, self.action, self.subscriber_id))
