"""The right to see who gives to whom, and the note of each look that is made by it."""

from typing import ClassVar, Final

from gateway.store.batch import Batch
from gateway.store.tables import access_log

CAUSES: Final = "causes"
"""The right to see a customer's causes, and what each cause is owed exactly; no role has it by itself."""


class RecordAccess:
    """One look as a unit: who looked by which action, and at whose choice. It is committed before anything is shown."""

    alone: ClassVar[bool] = False
    touches: ClassVar[tuple[type, ...]] = ()

    def __init__(self, actor: str, action: str, subscriber_id: int | None) -> None:
        """Take who looks, and the subscriber; None where the look is not at one alone."""
        self._actor, self._action, self._subscriber_id = actor, action, subscriber_id

    def decide(self, batch: Batch) -> None:
        """Write it down."""
        batch.add(access_log, (batch.take_id(), batch.now, self._actor, self._action, self._subscriber_id))
