"""The Gy server: takes Credit-Control-Requests from the node, puts them through the lane, and answers after the commit."""

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from gateway.charging.credit_control import CreditControlResult, CreditControlUnit
from gateway.charging.gy import cca, ccr
from gateway.charging.outcome import RenderedAnswer
from gateway.charging.request import EVENT, INITIAL, Traffic
from gateway.store.errors import LaneClosed, LaneOverloaded, OutcomeUnknown, StoreError, UnitPoisoned
from gateway.store.write_lane import WriteLane
from protocols.diameter.avp_validation import STANDARD, Profile
from protocols.diameter.codec import encode_avp
from protocols.diameter.errors import DiameterError, ResultCode
from protocols.diameter.generated import decode
from protocols.diameter.inbound import Request
from protocols.diameter.messages import CreditControlRequest

CREDIT_CONTROL = 272
"""Command code of CCR and CCA (RFC 8506 §3)."""
ORIGIN_HOST, ORIGIN_REALM, CC_SUB_SESSION_ID = 264, 296, 419
DRAINS = "this gateway drains"
"""Why a new session is refused while this gateway is on its way out."""


class Observed(msgspec.Struct, frozen=True, gc=False):
    """What one answered request came to: for metrics. `result` is a Result-Code, or `repeated`."""

    request_type: int
    result: str
    seconds: float


class CreditControlServer:
    """The Diameter Credit-Control application of the gateway's node."""

    def __init__(
        self,
        lane: WriteLane,
        *,
        origin_host: str,
        origin_realm: str,
        deadline: float,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
        observe: Callable[[Observed], None],
        alarm: Callable[[str, dict[str, str]], None],
        profiles: Mapping[str, Profile],
        country: str,
        contexts: Mapping[str, str],
        located: bool = False,
        report_state: Callable[[str, int], None] = lambda _origin_host, _origin_state_id: None,
        draining: Callable[[], bool] = lambda: False,
    ) -> None:
        """Take the lane and who we are on the network.

        `deadline` is how many seconds a request waits until it is shed, `country` our country (ISO 3166), `contexts` gives the
        service of Service-Context-Ids that are not of 3GPP; `located`: some plan's prices hang on the network. `report_state`
        is given each Origin-Host with its Origin-State-Id. While it is `draining` new sessions and one-time events are refused
        as 3004: their clients turn to another gateway (RFC 6733 §7.1.3).
        """
        self._lane, self._deadline, self._country = lane, deadline, country
        self._clock, self._monotonic, self._observe, self._alarm = clock, monotonic, observe, alarm
        self._profiles, self._contexts = profiles, contexts
        self._located = located
        self._report_state, self._draining = report_state, draining
        self._origin = encode_avp(ORIGIN_HOST, origin_host.encode()) + encode_avp(ORIGIN_REALM, origin_realm.encode())

    def apply_settings(
        self,
        *,
        deadline: float,
        profiles: Mapping[str, Profile],
        country: str,
        contexts: Mapping[str, str],
        located: bool = False,
    ) -> None:
        """Go by other settings from the next request on."""
        self._located = located
        self._deadline, self._profiles, self._country, self._contexts = deadline, profiles, country, contexts

    def handle(self, request: Request) -> None:
        """Take a Credit-Control-Request: read it, queue it; it is answered once its effects are on disk."""
        started = self._monotonic()
        try:
            message = decode(CreditControlRequest, request.frame, profile=self._profiles.get(request.peer, STANDARD))
            asked = ccr.read(message, request.peer, self._clock(), self._country, self._contexts, located=self._located)
        except DiameterError as error:
            self._refuse(request, error, started)
            return
        if message.origin_state_id:
            self._report_state(message.origin_host, message.origin_state_id)
        # What comes with the T flag may have been begun here before; an emergency call is never refused.
        begins = asked.request_type in (INITIAL, EVENT) and not request.header.retransmitted
        if begins and self._draining() and asked.traffic is not Traffic.EMERGENCY:
            self._refuse(request, DiameterError(ResultCode.DIAMETER_TOO_BUSY, DRAINS), started)
            return
        done = partial(self._done, request, message, asked.request_type, started)
        try:
            self._lane.post(CreditControlUnit(asked), done, not_after=started + self._deadline)
        except (LaneOverloaded, LaneClosed) as error:
            self._busy(request, error, started)

    def _done(
        self,
        request: Request,
        message: CreditControlRequest,
        request_type: int,
        started: float,
        answer: CreditControlResult | None,
        error: StoreError | None,
    ) -> None:
        if answer is None:
            self._failed(request, error, started)
            return
        session_id, sub_session_id = message.session_id, message.cc_sub_session_id
        head = encode_avp(cca.SESSION_ID, session_id) + self._origin
        if sub_session_id is not None:
            head += encode_avp(CC_SUB_SESSION_ID, sub_session_id.to_bytes(8, "big"))
        request.answer(head + cca.body(answer.outcome, session_id))
        if answer.repeated or isinstance(answer.outcome, RenderedAnswer):
            result = "repeated"
        else:
            result = str(int(cca.RESULT_CODES[answer.outcome.code]))
        self._observe(Observed(request_type, result, self._monotonic() - started))
        for alarm in answer.alarms:
            self._alarm(alarm, {"peer": request.peer, "session_id": session_id.decode("latin-1")})

    def _failed(self, request: Request, error: StoreError | None, started: float) -> None:
        """Nothing was committed: 5012 for a request that cannot be, 3004 for bad times; in doubt the connection is closed."""
        if isinstance(error, OutcomeUnknown):
            request.drop_connection("the outcome of a commit is unknown")
        elif isinstance(error, UnitPoisoned):
            self._refuse(
                request, DiameterError(ResultCode.DIAMETER_UNABLE_TO_COMPLY, "the request cannot be booked"), started
            )
        else:
            self._busy(request, error, started)

    def _busy(self, request: Request, error: StoreError | None, started: float) -> None:
        reason = error.code if error is not None else "busy"
        self._refuse(request, DiameterError(ResultCode.DIAMETER_TOO_BUSY, reason), started)

    def _refuse(self, request: Request, error: DiameterError, started: float) -> None:
        """Answer a request that cannot be taken; the node tells of it."""
        request.reject(error)
        self._observe(Observed(0, str(int(error.result_code)), self._monotonic() - started))
