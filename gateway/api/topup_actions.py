"""Top-ups of the running gateway: the money is booked, then sessions that stand still for want of it are asked to go on."""

from functools import partial

from gateway.api import actions
from gateway.api.actions import OPERATOR, AsyncAction, RunningAction
from gateway.api.answers.subscribers import ToppedUp
from gateway.api.callers import Caller
from gateway.api.requests.subscribers import TopUpSubscriber
from gateway.background import Background
from gateway.charging.gy.reauth_abort import SessionRequests
from gateway.context import GatewayContext


class TopUpActions:
    """What may be asked about money paid in."""

    def __init__(
        self, context: GatewayContext, background: Background, session_requests: SessionRequests | None
    ) -> None:
        """Take the open gateway and the way to the sessions' clients; there is none where Diameter is not configured."""
        self._context, self._background, self._session_requests = context, background, session_requests

    def actions(self) -> dict[str, RunningAction]:
        """Give every action by its name."""
        return {"subscriber.topup": AsyncAction(self.top_up, OPERATOR, TopUpSubscriber)}

    async def top_up(self, request: TopUpSubscriber, caller: Caller) -> ToppedUp:
        """Book money paid in; the answer does not wait for the clients of sessions."""
        booked: ToppedUp = await self._context.in_thread(actions.top_up, self._context, request, caller)
        requests = self._session_requests
        if requests is not None:
            self._background.once("offer credit", partial(requests.offer_credit, int(booked.subscriber_id)))
        return booked
