"""Limits of a line: shown, set, and agreed to be passed; then sessions that stand still below one are asked to go on."""

from functools import partial

from gateway.api.actions import OPERATOR, AsyncAction, RunningAction
from gateway.api.answers.rows import LimitView
from gateway.api.callers import Caller
from gateway.api.line_limits import decide_limit
from gateway.api.requests.lines import DecideLimit
from gateway.background import Background
from gateway.charging.gy.reauth_abort import SessionRequests
from gateway.context import GatewayContext


class LimitActions:
    """What may be asked about limits while the gateway runs."""

    def __init__(
        self, context: GatewayContext, background: Background, session_requests: SessionRequests | None
    ) -> None:
        """Take the open gateway and the way to the sessions' clients; there is none where Diameter is not configured."""
        self._context, self._background, self._session_requests = context, background, session_requests

    def actions(self) -> dict[str, RunningAction]:
        """Give every action by its name."""
        return {"subscriber.bill-limit": AsyncAction(self.decide, OPERATOR, DecideLimit)}

    async def decide(self, request: DecideLimit, caller: Caller) -> LimitView:
        """Keep a customer's decision; the answer does not wait for the clients of sessions.

        Sessions ask anew under another limit, and those that stand still where it may be passed.
        """
        decided: LimitView = await self._context.in_thread(decide_limit, self._context, request, caller)
        requests = self._session_requests
        if requests is not None:
            ask = requests.reauthorise if request.decision == "set" else requests.offer_credit
            self._background.once("offer credit", partial(ask, int(decided.subscriber_id)))
        return decided
