"""What charging goes by: plans, the policy of the tenth, and the terms on which quota is granted."""

from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo

import msgspec

from gateway.balance.bookings import Giving
from gateway.balance.profiles import Profile
from gateway.balance.spending import BillingMonths
from gateway.charging.request import DATA, MICROSECONDS, SMS, VOICE
from gateway.charity.accruals import accrue, leave_out
from gateway.charity.choices import Share
from gateway.charity.policies import Policy, in_force
from gateway.rating.grandfathering import Versions, version_for
from gateway.rating.plan_history import EarlierPlans, plan_at
from gateway.rating.plans import Plan

VOICE_SLACK = 60
"""Seconds by which a call may be reported longer than the wall clock says: ringing, and two clocks."""
SMS_PER_SECOND = 10
UNKNOWN_US = 60 * MICROSECONDS
"""Data of a session that we know nothing of is taken as far as a minute could carry it; more waits for review."""


class QuotaTerms(msgspec.Struct, frozen=True):
    """How quota is given out.

    Slices are the most units of one grant. `validity` and `quota_holding` are seconds, `threshold` is the percentage of a
    grant at whose remainder the client asks for more.

    A report that is more than what its rating group was granted and `tolerance` slices is taken only as far as a network could
    carry it since the last one: `octets_per_second` for data, each second once for a call, `SMS_PER_SECOND` for texts.
    """

    slice_octets: int = 10_000_000
    slice_seconds: int = 300
    slice_units: int = 10
    validity: int = 3600
    threshold: int = 20
    quota_holding: int = 600
    octets_per_second: int = 1_250_000_000
    tolerance: int = 1

    def wanted(self, service: str, requested: int) -> int:
        """Return the units to aim at: what was asked, but at most a slice and at least a tenth of one; 0 asks for a slice.

        The lower bound keeps a client that asks for crumbs from asking all the time.
        """
        most = self.slice(service)
        return min(max(requested, most // 10, 1), most) if requested else most

    def slice(self, service: str) -> int:
        """Return the most units of one grant."""
        return {DATA: self.slice_octets, VOICE: self.slice_seconds, SMS: self.slice_units}[service]

    def carried(self, service: str, elapsed: int) -> int:
        """Return the most units that could be used in a time (microseconds), whatever was granted."""
        if service == DATA:
            return self.octets_per_second * elapsed // MICROSECONDS
        seconds = elapsed // MICROSECONDS
        return seconds + VOICE_SLACK if service == VOICE else seconds * SMS_PER_SECOND

    def unknown(self, service: str) -> int:
        """Return the time (microseconds) that the first report of a session may cover of which we know no beginning."""
        return self.supervision if service == VOICE else UNKNOWN_US

    @property
    def supervision(self) -> int:
        """Tcc in microseconds: twice the validity time, so that one lost update ends no session (RFC 8506 §13)."""
        return 2 * self.validity * MICROSECONDS


class Tariff(msgspec.Struct, frozen=True):
    """Plans by id, the policy in force, the terms, the numbers of the system accounts, the operator's country (ISO 3166) and
    time zone."""

    plans: Mapping[str, Plan]
    policy: Policy
    terms: QuotaTerms
    account: Callable[[str], int]
    country: str
    zone: tzinfo = UTC
    earlier: EarlierPlans = {}
    """What plans were before the last reloads."""
    kept: Mapping[str, Versions] = {}
    """The versions of plans of which lines keep earlier ones."""
    months: BillingMonths = msgspec.field(default_factory=BillingMonths)
    cap_abroad: int = 0
    """What a line may be charged abroad in a month (micro-units) unless its customer agrees to more; 0: no cap."""
    promotions_last: bool = False
    """Whether credit that the company gave pays after what customers paid in."""
    credit_vat: int = 0
    """The tax in credit that ended unused, in hundredths of a percent."""

    later: tuple[Policy, ...] = ()
    """Rules of the tenth that follow the policy, each from its time on."""

    def giving(self, shares: tuple[Share, ...], at: int, what: str) -> Giving:
        """Return what a charge to a customer of these shares goes by, for an event at a time (microseconds).

        `what` is charged: a service, or SALE. Rules that leave something out are among the later ones alone.
        """
        if not self.later:
            return Giving(self.policy, shares, self.account, self.promotions_last)
        policy = self.policy_at(at, what)
        make = accrue if policy.rate else leave_out
        return Giving(policy, shares, self.account, self.promotions_last, make)

    def policy_at(self, at: int, what: str) -> Policy:
        """Return the rule of the tenth for an event at a time; of what it leaves out it gives nothing."""
        if not self.later:
            return self.policy
        policy = in_force((self.policy, *self.later), at)
        return msgspec.structs.replace(policy, rate=0) if policy.leaves_out(what) else policy

    def plan_of(self, profile: Profile, at: int) -> Plan | None:
        """Return the plan by which a line is charged at a time (microseconds): as it was then, or the version that it keeps."""
        subscribed = profile.subscription_at(at)
        if subscribed is None:
            return None
        since, plan_id = subscribed
        versions = self.kept.get(plan_id) if self.kept else None
        if versions is not None:
            return version_for(versions, since, at)
        return plan_at(self.plans, self.earlier, plan_id, at) if self.earlier else self.plans.get(plan_id)
