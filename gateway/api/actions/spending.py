"""Actions of the running gateway that let a line spend more: top-ups and limits; then sessions that stand still may go on."""

from functools import partial

from gateway.api.action import AsyncAction, RunningAction
from gateway.api.actions.limits import decide_limit
from gateway.api.actions.subscribers import top_up
from gateway.api.answers.rows import LimitView
from gateway.api.answers.subscribers import ToppedUp
from gateway.api.callers import OPERATOR, Caller
from gateway.api.requests.lines import DecideLimit
from gateway.api.requests.subscribers import TopUpSubscriber
from gateway.background import Background
from gateway.charging.gy.reauth_abort import SessionRequests
from gateway.context import GatewayContext


class SpendingActions:
    """What may be asked about money paid in, and about limits, while the gateway runs."""

    def __init__(
        self, context: GatewayContext, background: Background, session_requests: SessionRequests | None
    ) -> None:
        """Take the open gateway and the way to the sessions' clients; there is none where Diameter is not configured."""
        self._context, self._background, self._session_requests = context, background, session_requests

    def actions(self) -> dict[str, RunningAction]:
        """Return every action by its name."""
        return {
            "subscriber.topup": AsyncAction(self.top_up, OPERATOR, TopUpSubscriber),
            "subscriber.bill-limit": AsyncAction(self.decide_limit, OPERATOR, DecideLimit),
        }

    async def top_up(self, request: TopUpSubscriber, caller: Caller) -> ToppedUp:
        """Book money paid in; the answer does not wait for the clients of sessions."""
        booked: ToppedUp = await self._context.in_thread(top_up, self._context, request, caller)
        requests = self._session_requests
        if requests is not None:
            self._background.once("offer credit", partial(requests.offer_credit, int(booked.subscriber_id)))
        return booked

    async def decide_limit(self, request: DecideLimit, caller: Caller) -> LimitView:
        """Keep a customer's decision; the answer does not wait for the clients of sessions.

        Sessions ask anew under another limit, and those that stand still where it may be passed.
        """
        decided: LimitView = await self._context.in_thread(decide_limit, self._context, request, caller)
        requests = self._session_requests
        if requests is not None:
            ask = requests.reauthorise if request.decision == "set" else requests.offer_credit
            self._background.once("offer credit", partial(ask, int(decided.subscriber_id)))
        return decided
