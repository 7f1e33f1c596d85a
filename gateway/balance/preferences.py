"""How a customer wants to be written to: in which language, and with bills that tell of calls one by one or not.

A bill that is not itemised is the subscriber's right (Privacy and Electronic Communications Regulations 2003, reg. 9): what was
asked for holds for every bill that is shown from then on, also of months before.
"""

import msgspec
from sqlalchemy import Connection, delete, insert, select

from gateway.balance.changes import Change, SubscriberUnknown
from gateway.store.batch import Batch
from gateway.store.tables import preferences
from gateway.subscribers.history import BILLS, LANGUAGE, record


class Preferences(msgspec.Struct, frozen=True):
    """What a customer said; an empty `language` is the operator's."""

    language: str = ""
    itemised: bool = True


class PreferencesSet(msgspec.Struct, frozen=True):
    """Whose preferences they are, and what they are now."""

    subscriber_id: int
    preferences: Preferences


class SetPreferences(Change):
    """Change what is named, and leave what is None; `actor` wrote it down, for a `reason`."""

    language: str | None
    itemised: bool | None
    actor: str
    reason: str

    def decide(self, batch: Batch) -> PreferencesSet | SubscriberUnknown:
        """Set them; each that is another than before stands in the history."""
        owner = self._owner(batch)
        if owner is None:
            return SubscriberUnknown("no subscriber has this number now")
        before = preferences_of(batch.connection, owner)
        after = Preferences(
            before.language if self.language is None else self.language,
            before.itemised if self.itemised is None else self.itemised,
        )
        if before.language != after.language:
            record(batch, owner, LANGUAGE, (before.language, after.language), self.actor, self.reason)
        if before.itemised != after.itemised:
            record(batch, owner, BILLS, (_bills(before), _bills(after)), self.actor, self.reason)
        keep(batch, owner, after)
        return PreferencesSet(owner, after)


def keep(batch: Batch, subscriber_id: int, wanted: Preferences) -> None:
    """Write them in the place of those from before."""
    row = (subscriber_id, wanted.language, int(wanted.itemised))
    batch.connection.execute(delete(preferences).where(preferences.c.subscriber_id == subscriber_id))
    batch.connection.execute(insert(preferences).values(row))


def preferences_of(connection: Connection, subscriber_id: int) -> Preferences:
    """Return what a customer said."""
    own = preferences.c
    found = select(own.language, own.itemised).where(own.subscriber_id == subscriber_id)
    row = connection.execute(found).one_or_none()
    return Preferences() if row is None else Preferences(row.language, bool(row.itemised))


def _bills(said: Preferences) -> str:
    return "itemised" if said.itemised else "unitemised"
