"""Texts on their way to the SMSC: taken for sending before they go out, then what the SMSC said of each part."""

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from gateway.balance.wallets import WalletRows
from gateway.messaging.opt_outs import OptOutRows
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.receipts import AwaitedRows, EarlyRows, is_message_id
from gateway.messaging.text_units import OnTexts
from gateway.messaging.texts import Step, Text, TextRows
from gateway.store.batch import Batch, RowSet
from gateway.subscribers.status import ACTIVE

INACTIVE = "the sender's line is not active"


class Dispatch(msgspec.Struct, frozen=True):
    """A part of a text and the link that is to carry it."""

    text_id: int
    part: int
    link: str


class SubmitOutcome(msgspec.Struct, frozen=True):
    """What became of a part at the SMSC: `step` is accepted, waiting (try again), failed or doubtful.

    `message_id` is the SMSC's in the form in which it is kept (protocols.smpp.receipts.stored_id), or what stands for it where
    it gave none (receipts.reference_id); `stated` as the SMSC wrote it, where that is another: query_sm has to name it so.
    `refused`: it answered that it wants the part later.
    """

    text_id: int
    part: int
    link: str
    step: Step
    message_id: str = ""
    error: str = ""
    stated: str = ""
    refused: bool = False


class TakeForSending(OnTexts):
    """Write down that parts are about to go out; only those named in the answer may."""

    touches: ClassVar[tuple[type, ...]] = (OptOutRows, *OnTexts.touches)

    dispatches: list[Dispatch]

    def text_ids(self, _batch: Batch) -> Iterable[int]:
        """Name the texts."""
        return {dispatch.text_id for dispatch in self.dispatches}

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the receivers too: who opted out since gets nothing."""
        if isinstance(row_set, OptOutRows):
            texts = (batch.row_set(TextRows).get(dispatch.text_id) for dispatch in self.dispatches)
            return {text.destination for text in texts if text is not None}
        return super().keys(row_set, batch)

    def decide(self, batch: Batch) -> list[Dispatch]:
        """Return the parts that may go out now."""
        taken = []
        for dispatch in self.dispatches:
            text = batch.row_set(TextRows).get(dispatch.text_id)
            if text is None:
                continue
            part = text.parts[dispatch.part]
            if text.valid_until <= batch.now:
                part.go(Step.EXPIRED, "validity period over")
            elif _is_unwanted(batch, text):
                part.go(Step.CANCELLED, "the receiver opted out")
            elif _is_barred(batch, text):
                part.go(Step.CANCELLED, INACTIVE)
            elif part.go(Step.SENT):
                text.link = dispatch.link
                part.attempts += 1
                taken.append(dispatch)
            self.finish(batch, text)
        return taken


def _is_unwanted(batch: Batch, text: Text) -> bool:
    """Whether the receiver said STOP to who sends it: to its short code, or to any number that is served like that one."""
    if text.always:
        return False
    book = batch.policy(MessagingPolicy).book(text.source)
    return batch.row_set(OptOutRows).out(text.destination, text.source if book is None else book.short_code)


def _is_barred(batch: Batch, text: Text) -> bool:
    """Whether the line that pays for a text was suspended, or ended, since it was accepted."""
    wallet = batch.row_set(WalletRows).get(text.payer) if text.payer is not None else None
    return wallet is not None and wallet.status != ACTIVE


class RecordOutcomes(OnTexts):
    """What the SMSC answered to parts that went out, or that it never did, in the order in which the answers came."""

    touches: ClassVar[tuple[type, ...]] = (AwaitedRows, EarlyRows, *OnTexts.touches)

    answers: list[SubmitOutcome]

    def text_ids(self, _batch: Batch) -> Iterable[int]:
        """Name the texts."""
        return {answer.text_id for answer in self.answers}

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the new message ids too: their receipts may be there already, and other texts may have them."""
        if isinstance(row_set, (AwaitedRows, EarlyRows)):
            return {answer.message_id for answer in self.answers if answer.message_id}
        return super().keys(row_set, batch)

    def decide(self, batch: Batch) -> None:
        """Move the parts; wait for receipts where they were asked for."""
        for answer in self.answers:
            text = batch.row_set(TextRows).get(answer.text_id)
            if text is None:
                continue
            part = text.parts[answer.part]
            was = part.step
            if answer.step is Step.WAITING and answer.error:
                part.refused += answer.refused
                part.error = answer.error if was is Step.WAITING else part.error
            if part.go(answer.step, answer.error):
                if was is Step.SENT and answer.step is Step.WAITING:
                    part.attempts = max(0, part.attempts - 1)  # the SMSC answered, or it never went out
                part.maybe_double = part.maybe_double or answer.step is Step.DOUBTFUL
                if answer.step is Step.ACCEPTED:
                    if is_message_id(answer.message_id):
                        part.message_id, part.stated = answer.message_id, answer.stated
                    self._await(batch, text, answer)
            self.finish(batch, text)

    def _await(self, batch: Batch, text: Text, answer: SubmitOutcome) -> None:
        part = text.parts[answer.part]
        if not text.registered_delivery:
            part.go(Step.DELIVERED)
            return
        if not answer.message_id:
            return  # no receipt could name it
        early = batch.row_set(EarlyRows).find(answer.link, answer.message_id, text)
        if early is not None:
            part.go(early.reached, early.error)
            batch.row_set(EarlyRows).forget(batch, early, text)
            return
        batch.row_set(AwaitedRows).keep(batch, answer.link, answer.message_id, text, answer.part)
