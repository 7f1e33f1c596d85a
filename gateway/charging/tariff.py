"""What the desk charges by: plans, the policy of the tenth, and the terms on which quota is granted."""

from collections.abc import Callable, Mapping

import msgspec

from gateway.charging.request import DATA, MICROSECONDS, SMS, VOICE
from gateway.charity.policies import Policy
from gateway.rating.plans import Plan


class Terms(msgspec.Struct, frozen=True):
    """How quota is given out.

    Slices are the most units of one grant. `validity` and `quota_holding` are seconds, `threshold` is the percentage of a
    grant at whose remainder the client asks for more.
    """

    slice_octets: int = 10_000_000
    slice_seconds: int = 300
    slice_units: int = 10
    validity: int = 3600
    threshold: int = 20
    quota_holding: int = 600

    def wanted(self, service: str, requested: int) -> int:
        """Give the units to aim at: what was asked, but at most a slice and at least a tenth of one; 0 asks for a slice.

        The lower bound keeps a client that asks for crumbs from asking all the time.
        """
        most = {DATA: self.slice_octets, VOICE: self.slice_seconds, SMS: self.slice_units}[service]
        return min(max(requested, most // 10, 1), most) if requested else most

    @property
    def supervision(self) -> int:
        """Tcc in microseconds: twice the validity time, so that one lost update ends no session (RFC 8506 §13)."""
        return 2 * self.validity * MICROSECONDS


class Tariff(msgspec.Struct, frozen=True):
    """Plans by id, the policy in force, the terms, and the numbers of the system accounts."""

    plans: Mapping[str, Plan]
    policy: Policy
    terms: Terms
    account: Callable[[str], int]
