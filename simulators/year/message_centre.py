"""The message centre of a simulated year: texts that lines send by an app, to their receipts.

Each goes the way of the product: accepted and held for, taken for sending, answered, charged when it is delivered; some are
not delivered, and cost nothing.
"""

from collections.abc import Sequence
from typing import Final

from gateway.messaging.inbound.delivery_receipts import RecordReceipts
from gateway.messaging.queue.mt_status import Dispatch, RecordOutcomes, SubmitOutcome, TakeForSending
from gateway.messaging.receipts import Receipt
from gateway.messaging.submit import Accepted, AcceptTexts, Draft
from gateway.messaging.texts import Step
from protocols.smpp.receipts import IdForm, id_forms, stored_id
from simulators.year.gateway import Gateway
from simulators.year.line_events import Use

LINK: Final = "host"
VALIDITY: Final = 48 * 3600 * 1_000_000
LOST: Final = 20
"""One of so many texts is not delivered."""


class MessageCentre:
    """Takes texts and tells of each whether it was delivered; `sent` counts them by what became of them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._number = 0
        self.delivered = self.failed = self.refused = 0

    async def take(self, gateway: Gateway, uses: Sequence[Use], now: int) -> int:
        """Take the texts of some lines to their end; gives how many were delivered."""
        answers = await gateway.run_all(AcceptTexts("app", [_draft(use, now)]) for use in uses)
        accepted = [
            (use, answer.ids[0]) for use, answer in zip(uses, answers, strict=True) if isinstance(answer, Accepted)
        ]
        self.refused += len(uses) - len(accepted)
        await gateway.run_all(TakeForSending([Dispatch(text, 0, LINK)]) for _, text in accepted)
        named = [(use, text, self._message_id()) for use, text in accepted]
        await gateway.run_all(
            RecordOutcomes([SubmitOutcome(text, 0, LINK, Step.ACCEPTED, stored_id(message_id))])
            for _, text, message_id in named
        )
        receipts = [_receipt(use, message_id) for use, _, message_id in named]
        await gateway.run_all(RecordReceipts([receipt]) for receipt in receipts)
        delivered = sum(receipt.step is Step.DELIVERED for receipt in receipts)
        self.delivered, self.failed = self.delivered + delivered, self.failed + len(receipts) - delivered
        return delivered

    def _message_id(self) -> str:
        self._number += 1
        return str(self._number)


def _draft(use: Use, now: int) -> Draft:
    return Draft(use.line.msisdn, use.called, "On my way.", 1, now + VALIDITY)


def _receipt(use: Use, message_id: str) -> Receipt:
    step = Step.FAILED if int(message_id) % LOST == 0 else Step.DELIVERED
    return Receipt(LINK, tuple(id_forms(message_id, IdForm.AUTO)), step, "", use.called)
