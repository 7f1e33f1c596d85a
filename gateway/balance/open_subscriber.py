"""Making a subscriber: the opaque id, the wallet, the plan, the choice and the numbers, as rows of one batch."""

from collections.abc import Mapping

import msgspec

from gateway.charity.choices import Share
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.subscribers.identifier_history import IdentifierRows
from gateway.subscribers.status import ACTIVE


class Opening(msgspec.Struct, frozen=True):
    """A line to be opened: its numbers by kind, its plan, its currency, its choice, and the balance in micro-units.

    `valid_from` is when plan and choice come into force (microseconds).
    """

    numbers: Mapping[str, str]
    plan: str
    currency: str
    shares: tuple[Share, ...] = ()
    balance: int = 0
    valid_from: int = 0


def open_subscriber(batch: Batch, opening: Opening) -> int:
    """Write a new subscriber and give its id; the numbers must belong to nobody now."""
    subscriber_id = batch.take_id()
    batch.add(tables.subscribers, (subscriber_id, ACTIVE, batch.now))
    batch.add(tables.wallets, (subscriber_id, opening.currency, opening.balance, 0, None, 0, None, None, None))
    # Of a line that was live before we knew it, the version of its plan is that of today; what it used before has it, too.
    batch.add(tables.subscriptions, (batch.take_id(), subscriber_id, opening.plan, opening.valid_from or batch.now))
    for share in opening.shares:
        batch.add(tables.choices, (batch.take_id(), subscriber_id, share.cause, share.share, opening.valid_from))
    for kind, number in opening.numbers.items():
        batch.row_set(IdentifierRows).begin(batch, kind, number, subscriber_id)
    return subscriber_id
