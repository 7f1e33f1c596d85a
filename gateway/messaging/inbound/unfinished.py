"""Texts in that never became whole: a STOP in what is there of one is heard, and nothing else."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from gateway.balance.profiles import ProfileRows
from gateway.balance.wallets import WalletRows
from gateway.messaging.inbound.lost_parts import PartsKey, deletion, parts_of, words_there
from gateway.messaging.inbound.senders import SenderRows
from gateway.messaging.inbound.unanswered import Silence, is_ours
from gateway.messaging.keywords.services import Services
from gateway.messaging.opt_outs import OptOutRows
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.receipts import is_phone
from gateway.messaging.texts import Text
from gateway.store.batch import Batch, RowSet, Unit
from gateway.subscribers.identifier_history import MSISDN, IdentifierRows
from protocols.smpp.text import UserData


def hear_stop(batch: Batch, key: PartsKey, parts: Mapping[int, UserData]) -> list[Text]:
    """Do what a STOP asks for in the parts that are there of a text, and give the texts to answer with."""
    policy = batch.policy(MessagingPolicy)
    served = policy.book(key.destination)
    book = served or policy.opting_book(key.destination)
    if book is None or not parts:
        return []
    mute = "" if served else Silence.NO_SERVICES
    if is_ours(key.source, policy.own):
        mute = Silence.OURS
    elif not is_phone(key.source):
        mute = Silence.SHORT_CODE
    sender = batch.row_set(SenderRows).change(key.source, batch.node.id, batch.now)
    return Services(policy, batch, key.source, book, sender, mute).hear_stop(words_there(parts, key.total))


class EndUnfinished(Unit):
    """Wait no longer for the rest of texts of which a part has been there for too long."""

    touches: ClassVar[tuple[type, ...]] = (IdentifierRows, OptOutRows, SenderRows, WalletRows, ProfileRows)

    keys_of_parts: list[PartsKey]

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the senders, and the subscribers who these are."""
        sources = {key.source for key in self.keys_of_parts}
        if isinstance(row_set, (IdentifierRows, OptOutRows, SenderRows)):
            return sources
        if isinstance(row_set, WalletRows):
            owners = (batch.row_set(IdentifierRows).owner(MSISDN, source, batch.now) for source in sources)
            return {owner for owner in owners if owner is not None}
        return ()

    def decide(self, batch: Batch) -> list[Text]:
        """Give the confirmations to send; parts that were made whole meanwhile are not there."""
        answers: list[Text] = []
        for key in self.keys_of_parts:
            answers += hear_stop(batch, key, parts_of(batch.connection, key))
            batch.connection.execute(deletion(key))
        return answers
