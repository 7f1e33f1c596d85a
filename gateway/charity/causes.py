"""The causes that customers may choose, as config/causes.yaml lists them, and what was agreed with each.

A cause is paid under a written agreement (Charities Act 1992 s.59), whose time for transmitting money is 28 days from its
receipt unless another was agreed (Charitable Institutions (Fund-Raising) Regulations 1994, SI 1994/3024, reg. 6).
"""

from typing import Final

import msgspec

from gateway.charity.months import quarter_of

TRANSMIT_WITHIN: Final = 28
"""Days from receipt, where the agreement says nothing else."""
LONGEST: Final = {"month": 31, "quarter": 92}
"""Days that the first money of a period has waited at its end."""
APPROVED: Final = "approved"
"""The vetting state in which a cause may be paid."""


class Agreement(msgspec.Struct, frozen=True):
    """What was agreed with a cause: days as YYYY-MM-DD, money in micro-units.

    Attributes:
        starts, ends: from and until when it holds, the last day included; `ends` is empty while it has no end.
        period: how often it is paid, `month` or `quarter`.
        method: how: `bacs`, `ach`, ...
        transmit_within: days from the receipt of money until the cause has to have it.
        threshold: less than this is carried, but for `carry` days after its period at most.
    """

    signed: str
    starts: str
    currency: str
    method: str
    ends: str = ""
    period: str = "month"
    transmit_within: int = TRANSMIT_WITHIN
    threshold: int = 0
    carry: int = 0

    def span_of(self, month: str) -> tuple[str, str]:
        """Return the first and the last month of the period that a month lies in: it is told nothing shorter than that."""
        return quarter_of(month) if self.period == "quarter" else (month, month)

    def holds_on(self, day: str) -> bool:
        """Return whether it holds on a day."""
        return self.starts <= day and (not self.ends or day <= self.ends)

    @property
    def longest(self) -> int:
        """Days that money may wait by these terms: all of a period, and what is carried after it."""
        return LONGEST[self.period] + self.carry


class Successor(msgspec.Struct, frozen=True):
    """Who takes what a closed cause is owed, as its regulator or its trustees named it."""

    cause: str
    named_by: str
    on: str
    reference: str


class Cause(msgspec.Struct, frozen=True):
    """A charity; `regulator` is GB-CHC, GB-SC, US-EIN or empty, `number` its registration there.

    Attributes:
        vetting: `applied`, `approved`, `declined` or `suspended`.
        statement: what customers are told of it (Charities Act 1992 s.60(3)): how much it gets and how that is determined.
        editors: who may change what is told of it, by names that the operator keeps.
    """

    id: str
    name: str
    country: str
    regulator: str = ""
    number: str = ""
    open: bool = True
    vetting: str = "applied"
    statement: str = ""
    editors: tuple[str, ...] = ()
    agreement: Agreement | None = None
    successor: Successor | None = None


class Registration(msgspec.Struct, frozen=True):
    """What a register's extract says of a number: `status` is `registered` or `removed`."""

    regulator: str
    number: str
    name: str
    status: str
    extracted_on: str


REGISTERED: Final = "registered"
Register = dict[tuple[str, str], Registration]
"""Registrations by regulator and number."""


def obstacle(cause: Cause | None, currency: str, day: str, register: Register) -> str:
    """Say why a cause may not be paid on a day in a currency; empty where it may.

    That a number looks like one of its regulator's proves nothing: an extract of the register has to have it.
    """
    if cause is None:
        return "it is in no file of causes"
    if cause.vetting != APPROVED:
        return f"its vetting is {cause.vetting}"
    if cause.agreement is None:
        return "there is no agreement with it"
    if not cause.agreement.holds_on(day):
        return "its agreement is not in force"
    if cause.agreement.currency != currency:
        return f"its agreement is for {cause.agreement.currency}: a cause is paid in the currency that accrued"
    if not cause.number:
        return "nobody has established its number in a register"
    found = register.get((cause.regulator, cause.number))
    if found is None:
        return f"no extract of the register {cause.regulator} has its number"
    if found.status != REGISTERED:
        return f"the register {cause.regulator} of {found.extracted_on} says that it is {found.status}"
    return ""
