"""The notices that customers are sent: one literal table of their kinds, with the class and the source of each.

A statutory notice is owed by law: it reaches whoever said STOP, also at night, costs the customer nothing and carries nothing
else. A courtesy obeys both STOP and the quiet hours.

Sources: Communications Act 2003 s.124S (bill limits); Ofcom, General Conditions, C3 (roaming, in force since October 2024).
"""

from enum import StrEnum
from typing import Final, NamedTuple


class NoticeClass(StrEnum):
    """Whether a notice is owed by law."""

    STATUTORY = "statutory"
    COURTESY = "courtesy"


class NoticeKind(StrEnum):
    """What a notice says; each has one wording in each language (languages.notices), under the same name."""

    BILL_LIMIT_SET = "bill_limit_set"
    BILL_LIMIT_REMOVED = "bill_limit_removed"
    BILL_LIMIT_IN_MONTH = "bill_limit_in_month"
    BILL_UNLIMITED_IN_MONTH = "bill_unlimited_in_month"
    BILL_LIMIT_AGREED = "bill_limit_agreed"
    BILL_LIMIT_LIKELY = "bill_limit_likely"
    BILL_LIMIT_REACHED = "bill_limit_reached"
    ROAMING_START = "roaming_start"
    ROAMING_INADVERTENT = "roaming_inadvertent"
    CAP_ABROAD_LIKELY = "cap_abroad_likely"
    CAP_ABROAD_REACHED = "cap_abroad_reached"
    CAP_ABROAD_AGREED = "cap_abroad_agreed"
    ALLOWANCE_LOW = "allowance_low"
    LOW_BALANCE = "low_balance"
    BILL_OVERDUE = "bill_overdue"
    BILL_SUSPENDED = "bill_suspended"
    CHOICE_ASKED = "choice_asked"


class Kind(NamedTuple):
    """A kind of notice: its class, what makes it due, and what its wording must and may name in braces.

    `once` is what one is sent once for: a line and period. `source` is the rule that it is owed by, empty for a courtesy.
    """

    notice_class: NoticeClass
    source: str
    due: str
    once: str
    must: tuple[str, ...] = ()
    may: tuple[str, ...] = ()


_BILL_LIMITS: Final = "Communications Act 2003 s.124S"
_UNPAID: Final = "Ofcom General Condition C3 (non-payment of bills)"
_ROAMING: Final = "Ofcom General Condition C3"
KINDS: Final[dict[NoticeKind, Kind]] = {
    NoticeKind.BILL_LIMIT_SET: Kind(
        NoticeClass.STATUTORY, f"{_BILL_LIMITS}(7)", "a bill limit was set", "decision", ("limit",)
    ),
    NoticeKind.BILL_LIMIT_REMOVED: Kind(
        NoticeClass.STATUTORY, f"{_BILL_LIMITS}(7)", "a bill limit was removed", "decision"
    ),
    NoticeKind.BILL_LIMIT_IN_MONTH: Kind(
        NoticeClass.STATUTORY,
        f"{_BILL_LIMITS}(7)",
        "a bill limit was set for one month",
        "decision",
        ("limit", "month"),
    ),
    NoticeKind.BILL_UNLIMITED_IN_MONTH: Kind(
        NoticeClass.STATUTORY, f"{_BILL_LIMITS}(7)", "the limit was removed for one month", "decision", ("month",)
    ),
    NoticeKind.BILL_LIMIT_AGREED: Kind(
        NoticeClass.STATUTORY,
        f"{_BILL_LIMITS}(7)",
        "the customer agreed to pass it",
        "decision",
        ("month",),
        ("limit",),
    ),
    NoticeKind.BILL_LIMIT_LIKELY: Kind(
        NoticeClass.STATUTORY,
        f"{_BILL_LIMITS}(4)(a)",
        "a share of the limit was charged",
        "month",
        ("limit", "charged"),
    ),
    NoticeKind.BILL_LIMIT_REACHED: Kind(
        NoticeClass.STATUTORY, f"{_BILL_LIMITS}(4)(b)", "the limit was reached, or refused a use", "month", ("limit",)
    ),
    NoticeKind.ROAMING_START: Kind(
        NoticeClass.STATUTORY,
        _ROAMING,
        "the line is used abroad",
        "country and day",
        ("data", "voice", "sms"),
        ("incoming", "cap"),
    ),
    NoticeKind.ROAMING_INADVERTENT: Kind(
        NoticeClass.STATUTORY, _ROAMING, "the line is used by a network across the border", "country and day"
    ),
    NoticeKind.CAP_ABROAD_LIKELY: Kind(
        NoticeClass.STATUTORY, _ROAMING, "a share of the cap abroad was charged", "month", ("cap", "charged")
    ),
    NoticeKind.CAP_ABROAD_REACHED: Kind(
        NoticeClass.STATUTORY, _ROAMING, "the cap abroad was reached, or refused a use", "month", ("cap",)
    ),
    NoticeKind.CAP_ABROAD_AGREED: Kind(
        NoticeClass.STATUTORY, _ROAMING, "the customer agreed to pass it", "decision", ("month",), ("cap",)
    ),
    NoticeKind.ALLOWANCE_LOW: Kind(
        NoticeClass.COURTESY, "", "a share of an allowance was used", "allowance and service", ("percent", "service")
    ),
    NoticeKind.LOW_BALANCE: Kind(
        NoticeClass.COURTESY, "", "the balance is below a threshold", "time below it", ("balance",)
    ),
    NoticeKind.BILL_OVERDUE: Kind(
        NoticeClass.STATUTORY,
        _UNPAID,
        "a bill was not paid when it was due",
        "bill",
        ("amount", "date"),
        ("reference",),
    ),
    NoticeKind.BILL_SUSPENDED: Kind(
        NoticeClass.STATUTORY,
        _UNPAID,
        "a line is suspended as its bill is not paid",
        "bill",
        ("amount",),
        ("reference",),
    ),
    NoticeKind.CHOICE_ASKED: Kind(
        NoticeClass.COURTESY, "", "a cause that was chosen is closed, and nobody succeeds it", "closed cause", ("date",)
    ),
}  # fmt: skip  (a table reads best as one)


def is_statutory(kind: NoticeKind) -> bool:
    """Return whether a notice is owed by law."""
    return KINDS[kind].notice_class is NoticeClass.STATUTORY
