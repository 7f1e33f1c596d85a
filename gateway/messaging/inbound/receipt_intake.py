"""Delivery receipts in: gathered through one turn of the loop, handed to the lane together, answered when on disk."""

from functools import partial

from gateway.messaging.inbound.delivery_receipts import RecordReceipts
from gateway.messaging.inbound.responses import acknowledge, drop, refuse
from gateway.messaging.lane_client import LaneClient
from gateway.messaging.receipts import Receipt
from protocols.smpp.client import Request


class ReceiptIntake:
    """Takes delivery receipts to the lane and answers them."""

    def __init__(self, lane: LaneClient) -> None:
        """Take the lane."""
        self._lane = lane
        self._receipts: list[Receipt] = []
        self._requests: list[Request] = []

    def take(self, receipt: Receipt, request: Request) -> None:
        """Have a receipt noted; one that names no part is answered with the others."""
        self._requests.append(request)
        if receipt.forms or receipt.reference is not None:
            self._receipts.append(receipt)
        self._lane.flush_soon()

    def flush(self) -> None:
        """Hand to the lane what has gathered."""
        if not self._requests:
            return
        requests, self._requests = self._requests, []
        receipts, self._receipts = self._receipts, []

        def done(_moved: int) -> None:
            acknowledge(requests)

        self._lane.post(RecordReceipts(receipts), done, partial(refuse, requests), partial(drop, requests))
