"""Delivery receipts in: gathered through one turn of the loop, handed to the lane together, answered when on disk."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import Final

import msgspec

from gateway.messaging.inbound import deliver_sm
from gateway.messaging.inbound.delivery_receipts import Recorded, RecordReceipts
from gateway.messaging.inbound.responses import acknowledge, drop, refuse
from gateway.messaging.lane_client import LaneClient
from gateway.messaging.receipts import Receipt
from gateway.messaging.routing import SmscLink
from gateway.messaging.text_events import UnmatchedReceipt
from protocols.smpp import receipts as protocol
from protocols.smpp.client import Request
from protocols.smpp.messages import DataSm, DeliverSm
from provisioning.masks import mask

KEPT: Final = 10
"""Unmatched receipts of a link that are remembered."""
LONGEST_WORD: Final = 64
"""Characters of an id or a state that are shown: it is the SMSC's text."""


class Unmatched(StrEnum):
    """Why a receipt settles no text."""

    NO_ID = "no_id"
    NO_STATE = "no_state"
    UNKNOWN_STATE = "unknown_state"
    UNKNOWN_ID = "unknown_id"
    EARLY = "early"
    """It may be of a text whose submit_sm is not answered yet; it is kept for that."""


class _Taken(msgspec.Struct, frozen=True):
    """A receipt on its way to the lane: why it surely settles nothing, and whether its text may be unanswered yet."""

    receipt: Receipt
    link: str
    message_id: str
    stat: str
    reason: Unmatched | None
    may_be_early: bool

    def event(self, reason: Unmatched) -> UnmatchedReceipt:
        """Return it, with its number masked and the SMSC's words cut."""
        number = mask(next(iter(self.receipt.numbers), ""))
        return UnmatchedReceipt(self.link, str(reason), _shown(self.message_id), _shown(self.stat), number)


class ReceiptIntake:
    """Takes delivery receipts to the lane and answers them."""

    def __init__(
        self,
        lane: LaneClient,
        *,
        clock: Callable[[], int],
        is_owed: Callable[[SmscLink], bool],
        on_event: Callable[[UnmatchedReceipt], None],
    ) -> None:
        """Take the lane, whether an SMSC owes the answer to a text, and who hears of receipts that settle nothing."""
        self._lane, self._clock, self._is_owed, self._on_event = lane, clock, is_owed, on_event
        self._taken: list[_Taken] = []
        self._requests: list[Request] = []
        self.unmatched: Counter[tuple[str, str]] = Counter()
        """Receipts that settled nothing, by link and reason."""
        self._latest: defaultdict[str, deque[tuple[int, UnmatchedReceipt]]] = defaultdict(lambda: deque(maxlen=KEPT))

    @property
    def latest(self) -> Mapping[str, Sequence[tuple[int, UnmatchedReceipt]]]:
        """The last receipts of each link that settled nothing, and when they came."""
        return self._latest

    def take(self, link: SmscLink, message: DeliverSm | DataSm, request: Request, *, by_text: bool = False) -> None:
        """Have a receipt noted; one that names no part is answered with the others."""
        route = link.route
        found = protocol.parse_receipt(message, route.stats)
        receipt = deliver_sm.receipt(link.smsc, message, found, route.form, route.country, by_text=by_text)
        taken = _Taken(receipt, link.name, found.message_id, found.stat, _fault(found), self._is_owed(link))
        self._requests.append(request)
        if receipt.forms or receipt.reference is not None:
            self._taken.append(taken)
        else:
            self._count(taken, Unmatched.NO_ID)
        self._lane.flush_soon()

    def flush(self) -> None:
        """Hand to the lane what has gathered."""
        if not self._requests:
            return
        requests, self._requests = self._requests, []
        taken, self._taken = self._taken, []

        def done(recorded: Recorded) -> None:
            acknowledge(requests)
            self._note(taken, set(recorded.unknown))

        unit = RecordReceipts([each.receipt for each in taken])
        self._lane.post(unit, done, partial(refuse, requests), partial(drop, requests))

    def _note(self, taken: Sequence[_Taken], unknown: set[int]) -> None:
        for place, each in enumerate(taken):
            if each.reason is not None:
                self._count(each, each.reason)
            elif place in unknown:
                self._count(each, Unmatched.EARLY if each.may_be_early else Unmatched.UNKNOWN_ID)

    def _count(self, taken: _Taken, reason: Unmatched) -> None:
        self.unmatched[taken.link, str(reason)] += 1
        if reason is not Unmatched.EARLY:
            event = taken.event(reason)
            self._latest[taken.link].append((self._clock(), event))
            self._on_event(event)


def _fault(found: protocol.Receipt) -> Unmatched | None:
    """Say what is wrong with a receipt by itself."""
    if found.recognised:
        return None
    return Unmatched.UNKNOWN_STATE if found.stat else Unmatched.NO_STATE


def _shown(word: str) -> str:
    return "".join(filter(str.isprintable, word[:LONGEST_WORD]))
