"""One customer's data session as the PGW sees it: traffic, quota, and what is to be reported when. Pure; time is an argument.

    s = Session(...); ask = s.start(now)         CCR-I
    s.answered(answer, now)                       grants are taken, refusals close their group
    s.due()                                       when something is to be reported next; None once nothing flows
    ask = s.report(now)                           CCR-U, or CCR-T when the traffic or the credit is at its end
    ask = s.reauthorise(now)                      CCR-U of every group that is open, since the gateway asked for it (RAR)
    ask = s.stop(now)                             CCR-T

One request is outstanding at a time. Octets are whole; a group's traffic flows at a constant rate as far as its quota goes.
"""

from collections.abc import Sequence
from enum import Enum, IntEnum, auto
from math import ceil, inf
from typing import Final

import msgspec

from protocols.diameter.errors import ResultCode
from protocols.diameter.messages import (
    CREDIT_CONTROL_APPLICATION,
    CreditControlAnswer,
    CreditControlRequest,
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    SubscriptionId,
    UsedServiceUnit,
)
from simulators.customers import Customer
from simulators.profiles import (
    IMSI,
    SERVICE_CONTEXT_ID,
    Profile,
    command_extras,
    mscc_extras,
    service_information,
)

INITIAL, UPDATE, TERMINATION = 1, 2, 3
"""CC-Request-Type (RFC 8506 §8.3)."""
LOGOUT: Final = 1
"""DIAMETER_LOGOUT, a Termination-Cause (RFC 6733 §8.15)."""
ADMINISTRATIVE: Final = 4
"""DIAMETER_ADMINISTRATIVE: the gateway ended the session (ASR)."""
UPLINK_SHARE: Final = 10
"""One octet in so many goes up."""


class Reason(IntEnum):
    """Reporting-Reason (TS 32.299 §7.2.175)."""

    THRESHOLD = 0
    FINAL = 2
    QUOTA_EXHAUSTED = 3
    VALIDITY_TIME = 4
    FORCED_REAUTHORISATION = 7


class State(Enum):
    """Where the session stands; `ENDED` after the answer to CCR-T, or where the gateway would not begin."""

    NEW = auto()
    STARTING = auto()
    ACTIVE = auto()
    UPDATING = auto()
    STOPPING = auto()
    ENDED = auto()


TABLE: Final[dict[tuple[State, str], State]] = {
    (State.NEW, "start"): State.STARTING,
    (State.STARTING, "granted"): State.ACTIVE,
    (State.STARTING, "refused"): State.ENDED,  # attach rejected: no session was begun, so none is ended
    (State.ACTIVE, "report"): State.UPDATING,
    (State.ACTIVE, "stop"): State.STOPPING,
    (State.UPDATING, "granted"): State.ACTIVE,
    (State.UPDATING, "refused"): State.ACTIVE,  # every group is closed by then: CCR-T follows
    (State.STOPPING, "granted"): State.ENDED,
    (State.STOPPING, "refused"): State.ENDED,
}


class Demand(msgspec.Struct, frozen=True):
    """What the customer wants to transfer in one rating group: octets in all, octets a second."""

    octets: int
    rate: float


class _Group:
    """Traffic and quota of one rating group."""

    def __init__(self, rating_group: int | None, demand: Demand) -> None:
        self.rating_group = rating_group
        self.left = demand.octets
        self.rate = demand.rate
        self.used = 0
        """Octets since the last report."""
        self.granted = 0
        self.threshold = 0
        self.expires_at = inf
        self.final = False
        self.closed = False
        """No more is to be had: 4012, or the last grant is used up."""
        self.since = 0.0

    @property
    def quota(self) -> int:
        """Octets that may still flow."""
        return max(self.granted - self.used, 0)

    @property
    def ready(self) -> bool:
        """Something can flow."""
        return not self.closed and self.left > 0

    def flow(self, now: float) -> None:
        """Let the traffic since the last call pass."""
        octets = min(self.left, self.quota, round((now - self.since) * self.rate))
        self.since = max(now, self.since)
        self.used += octets
        self.left -= octets

    def due(self) -> float:
        """When this group is to be reported."""
        if not self.ready:
            return inf
        until = self.quota if self.final else max(self.quota - self.threshold, 0)
        return min(self.since + ceil(min(until, self.left)) / self.rate, self.expires_at)

    def reason(self, now: float) -> Reason | None:
        """Why it is to be reported now, if it is."""
        if self.closed:
            return None
        if self.quota == 0 and self.left:
            return Reason.FINAL if self.final else Reason.QUOTA_EXHAUSTED
        if self.left and not self.final and self.quota <= self.threshold:
            return Reason.THRESHOLD
        return Reason.VALIDITY_TIME if now >= self.expires_at else None

    def take(self, answer: MultipleServicesCreditControl | None, now: float) -> None:
        """Take what the gateway gave: a new grant replaces what was left of the old one (TS 32.299 §6.3.8)."""
        self.since = now
        granted = answer.granted_service_unit if answer is not None else None
        success = answer is not None and answer.result_code in (None, ResultCode.DIAMETER_SUCCESS)
        if answer is None or granted is None or not success:
            self.closed, self.granted = True, 0
            return
        self.granted = granted.cc_total_octets or 0
        self.threshold = answer.volume_quota_threshold or 0
        self.expires_at = now + answer.validity_time if answer.validity_time else inf
        self.final = answer.final_unit_indication is not None


class Session:
    """One session; build it from what the customer wants to transfer in each rating group."""

    def __init__(
        self,
        session_id: bytes,
        customer: Customer,
        profile: Profile,
        demands: Sequence[tuple[int | None, Demand]],
        *,
        number: int = 1,
    ) -> None:
        self.session_id = session_id
        self.customer = customer
        self.state = State.NEW
        self.reported = 0
        """Octets in all reports made so far, answered or not."""
        self.out_of_credit = False
        """The gateway has said 4012, or that a grant was the last."""
        self.result_code = 0
        """Of the last answer's command level."""
        self._profile = profile
        self._groups = [_Group(rating_group, demand) for rating_group, demand in demands]
        self._number = -1
        self._asked: list[_Group] = []
        self._began = 0.0
        self._last_report = 0.0
        self._information = {
            initial: service_information(profile, customer, number, initial=initial) for initial in (True, False)
        }

    @property
    def number(self) -> int:
        """The CC-Request-Number of the last request."""
        return self._number

    def start(self, now: float) -> CreditControlRequest:
        """CCR-I: quota is asked for each rating group."""
        self._step("start")
        self._began = self._last_report = now
        self._asked = list(self._groups)
        return self._request(INITIAL, [self._mscc(group, None, asks=True, now=now) for group in self._groups], now)

    def due(self) -> float:
        """When the next report is due; the current time or earlier once nothing flows any more."""
        return min((group.due() for group in self._groups if group.ready), default=-inf)

    def report(self, now: float) -> CreditControlRequest:
        """CCR-U with the groups that are due, or CCR-T when nothing can flow any more."""
        if not self._flows(now):
            return self._end(now)
        return self._update([(group, group.reason(now)) for group in self._groups], now)

    def reauthorise(self, now: float) -> CreditControlRequest:
        """CCR-U: the gateway wants a report now, and quota is asked for anew (RFC 8506 §5.5); CCR-T if nothing can flow."""
        if not self._flows(now):
            return self._end(now)
        forced = Reason.FORCED_REAUTHORISATION
        return self._update([(group, None if group.closed else forced) for group in self._groups], now)

    def stop(self, now: float, cause: int = LOGOUT) -> CreditControlRequest:
        """CCR-T: the customer has detached, or the gateway ends the session; everything that is not yet reported is."""
        for group in self._groups:
            group.flow(now)
        return self._end(now, cause)

    def answered(self, answer: CreditControlAnswer, now: float) -> None:
        """Take the answer to the request that is outstanding."""
        self.result_code = answer.result_code
        success = answer.result_code // 1000 == 2
        stopping = self.state is State.STOPPING
        self._step("granted" if success else "refused")
        if stopping:
            return
        if not success:
            self.out_of_credit = self.out_of_credit or answer.result_code == ResultCode.DIAMETER_CREDIT_LIMIT_REACHED
            for group in self._groups:
                group.closed = True
            return
        given = {mscc.rating_group: mscc for mscc in answer.multiple_services_credit_control}
        for group in self._asked:
            mscc = given.get(group.rating_group)
            group.take(mscc, now)
            if mscc is not None and mscc.result_code == ResultCode.DIAMETER_CREDIT_LIMIT_REACHED:
                self.out_of_credit = True
        for group in self._groups:
            group.since = now

    def _flows(self, now: float) -> bool:
        """Let the traffic since the last report pass; tell whether any can still flow."""
        for group in self._groups:
            group.flow(now)
            if group.final and group.quota == 0:
                group.closed = self.out_of_credit = True
        return any(group.ready for group in self._groups)

    def _update(self, due: Sequence[tuple[_Group, Reason | None]], now: float) -> CreditControlRequest:
        """CCR-U of the groups that have a reason, and of those that have just come to their end."""
        self._step("report")
        services = []
        self._asked = []
        for group, own_reason in due:
            reason = Reason.FINAL if group.closed and group.used else own_reason
            if reason is not None:
                asks = not group.closed
                services.append(self._mscc(group, reason, asks=asks, now=now))
                self._asked += [group] if asks else []
        return self._request(UPDATE, services, now)

    def _end(self, now: float, cause: int = LOGOUT) -> CreditControlRequest:
        self._step("stop")
        self._asked = []
        services = [self._mscc(group, Reason.FINAL, asks=False, now=now) for group in self._groups]
        return self._request(TERMINATION, services, now, cause)

    def _mscc(self, group: _Group, reason: Reason | None, *, asks: bool, now: float) -> MultipleServicesCreditControl:
        service = self._profile.service_identifier
        return MultipleServicesCreditControl(
            requested_service_unit=self._wanted() if asks else None,
            used_service_unit=() if reason is None else (self._used(group, reason, now),),
            service_identifier=() if service is None else (service,),
            rating_group=group.rating_group,
            reporting_reason=(int(Reason.FINAL),) if reason is Reason.FINAL else (),
            avps=mscc_extras(self._profile),
        )

    def _wanted(self) -> RequestedServiceUnit:
        direction = 0 if self._profile.zero_directions else None
        return RequestedServiceUnit(
            cc_total_octets=self._profile.requested_octets, cc_input_octets=direction, cc_output_octets=direction
        )

    def _used(self, group: _Group, reason: Reason, now: float) -> UsedServiceUnit:
        octets, group.used, group.granted = group.used, 0, 0
        self.reported += octets
        reasons = () if reason is Reason.FINAL else (int(reason),)
        if self._profile.totals_alone and reason is not Reason.FINAL:
            return UsedServiceUnit(reporting_reason=reasons, cc_total_octets=octets)
        upward = octets // UPLINK_SHARE
        return UsedServiceUnit(
            reporting_reason=reasons,
            cc_time=round(now - self._last_report),
            cc_total_octets=octets if self._profile.total_octets else None,
            cc_input_octets=upward,
            cc_output_octets=octets - upward,
        )

    def _request(
        self,
        request_type: int,
        services: Sequence[MultipleServicesCreditControl],
        now: float,
        cause: int | None = None,
    ) -> CreditControlRequest:
        """The request, but for what its sender knows: Origin, Destination and Event-Timestamp."""
        self._number += 1
        self._last_report = now
        profile, customer = self._profile, self.customer
        return CreditControlRequest(
            session_id=self.session_id,
            origin_host="",
            origin_realm="",
            destination_realm="",
            auth_application_id=CREDIT_CONTROL_APPLICATION,
            service_context_id=SERVICE_CONTEXT_ID,
            cc_request_type=request_type,
            cc_request_number=self._number,
            subscription_id=tuple(
                SubscriptionId(kind, customer.imsi if kind == IMSI else customer.msisdn)
                for kind in profile.subscription_ids
                if kind == IMSI or customer.msisdn
            ),
            termination_cause=cause,
            requested_action=profile.requested_action,
            multiple_services_indicator=profile.multiple_services_indicator if request_type == INITIAL else None,
            multiple_services_credit_control=tuple(services),
            service_information=self._information[request_type == INITIAL],
            avps=command_extras(profile),
        )

    def _step(self, event: str) -> None:
        state = TABLE.get((self.state, event))
        if state is None:
            raise RuntimeError(f"{event} of a session that is {self.state.name}")
        self.state = state
