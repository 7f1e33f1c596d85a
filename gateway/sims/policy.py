"""What the units of cards and orders are decided with."""

from collections.abc import Callable, Mapping

import msgspec

from gateway.messaging.submit import Draft
from gateway.privacy.masks import mask
from provisioning.identifiers import is_imsi_of, is_number_of

WELCOME, SWAP = "welcome", "swap"
"""Kinds of texts that a customer gets about a card."""


class SimsPolicy(msgspec.Struct, frozen=True):
    """Everything that cards and orders are decided by; durations in microseconds.

    `hosts` name the host and `currencies` the currency of each plan, `countries` those of a host's numbers (none: any).
    `compose` makes a draft of a text of ours to a number, of one of the kinds WELCOME and SWAP; None: no text is sent.
    `pseudonym` names a subscriber to the company.
    """

    source: str
    hosts: Mapping[str, str]
    currencies: Mapping[str, str]
    quarantine: int
    compose: Callable[[str, str, int], Draft | None]
    pseudonym: Callable[[int], str]
    countries: Mapping[str, frozenset[str]] = {}

    def foreign(self, host: str, msisdn: str, imsi: str) -> str:
        """Say which of a line's numbers is of another country than its host's; nothing if none is, or none is given."""
        countries = self.countries.get(host)
        if not countries:
            return ""
        serves = f"than the host {host!r} serves ({', '.join(sorted(countries))}); see provisioning.hosts.countries"
        if msisdn and not is_number_of(msisdn, countries):
            return f"msisdn: {mask(msisdn)} is a number of another country {serves}"
        if imsi and not is_imsi_of(imsi, countries):
            return f"imsi: {mask(imsi)} is an IMSI of another country {serves}"
        return ""
