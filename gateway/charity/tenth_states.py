"""The life of the tenth, and of gifts, as one literal table: in which state money is, and every way between two states.

Each state is an account of its own for each cause, so that what stands in a state is a balance of the journal, and what moves
it is an entry: sums cannot change on the way. `python -m gateway.charity.tenth_states` makes docs/tenth-states.md of it.
"""

from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from gateway.ledger.account_names import CHARITY_BANK

PAGE: Final = Path("docs/tenth-states.md")


class State(StrEnum):
    """Where the money is."""

    ACCRUED = "accrued"
    CONFIRMED = "confirmed"
    PAYABLE = "payable"
    INSTRUCTED = "instructed"
    PAID = "paid"


class Stream(StrEnum):
    """What is given: the company's tenth, and customers' own gifts. They never stand on one line."""

    TENTH = "tenth"
    GIFT = "gift"


class Way(StrEnum):
    """A kind of entry that moves money from a state to another."""

    CONFIRM = "confirm"
    UNCONFIRM = "unconfirm"
    SUCCEED = "succeed"
    UNASSIGN = "unassign"
    RELEASE = "release"
    RECLAIM = "reclaim"
    INSTRUCT = "instruct"
    REJECT = "reject"
    REMIT = "remit"
    RETURN = "return"


class Step(NamedTuple):
    """A row of the table: from which state to which, and when."""

    before: State
    after: State
    when: str


STATES: Final[dict[State, str]] = {
    State.ACCRUED: "a charge, a sale or a gift was booked; nobody has paid for it yet, or the month is not confirmed",
    State.CONFIRMED: "customers' money stands behind it; the cause cannot be paid: no agreement, not vetted or not registered",
    State.PAYABLE: "the cause is paid with the next payment; below zero it is a receivable, and the next payment is less",
    State.INSTRUCTED: "it is in a payment file that two people stand for",
    State.PAID: "the charity account's statement shows it",
}
TABLE: Final[dict[Way, Step]] = {
    Way.CONFIRM: Step(State.ACCRUED, State.CONFIRMED, "a month is over, and its charge is paid"),
    Way.UNCONFIRM: Step(State.CONFIRMED, State.ACCRUED, "it was taken back, a debit was returned, a debt grew"),
    Way.SUCCEED: Step(
        State.CONFIRMED, State.CONFIRMED, "the cause is closed, and its regulator or trustees named a successor"
    ),
    Way.UNASSIGN: Step(
        State.CONFIRMED,
        State.CONFIRMED,
        "its customers were asked, and by `charity.after_asking` it goes to `unassigned`",
    ),
    Way.RELEASE: Step(State.CONFIRMED, State.PAYABLE, "the cause has an agreement, is vetted and registered"),
    Way.RECLAIM: Step(
        State.PAYABLE, State.CONFIRMED, "what was released is not confirmed any more, or the cause is not payable"
    ),
    Way.INSTRUCT: Step(State.PAYABLE, State.INSTRUCTED, "a second person approved the payment file by its hash"),
    Way.REJECT: Step(State.INSTRUCTED, State.PAYABLE, "the bank refused the payment (pain.002)"),
    Way.REMIT: Step(State.INSTRUCTED, State.PAID, "the bank's statement has the payment (camt.053)"),
    Way.RETURN: Step(State.PAID, State.PAYABLE, "the payment came back"),
}
_PREFIXES: Final[dict[Stream, dict[State, str]]] = {
    Stream.TENTH: {
        State.ACCRUED: "cause:",
        State.CONFIRMED: "confirmed:",
        State.PAYABLE: "payable:",
        State.INSTRUCTED: "instructed:",
    },
    Stream.GIFT: {
        State.ACCRUED: "gifts:",
        State.CONFIRMED: "gifts-confirmed:",
        State.PAYABLE: "gifts-payable:",
        State.INSTRUCTED: "gifts-instructed:",
    },
}


def account_of(stream: Stream, state: State, cause: str) -> str:
    """Name the account of a state; what is paid left by the charity bank account, whoever it was for."""
    return CHARITY_BANK if state is State.PAID else f"{_PREFIXES[stream][state]}{cause}"


def state_of(account: str) -> tuple[Stream, State, str] | None:
    """Return the stream, the state and the cause of an account by its name; None for any other."""
    for stream, prefixes in _PREFIXES.items():
        for state, prefix in prefixes.items():
            if account.startswith(prefix):
                return stream, state, account.removeprefix(prefix)
    return None


def sides(way: Way, stream: Stream, cause: str) -> tuple[str, str]:
    """Name the accounts that an entry of a way debits and credits."""
    step = TABLE[way]
    return account_of(stream, step.before, cause), account_of(stream, step.after, cause)


_THEORY: Final = """\
# The life of the tenth

Each state is an account of its own for each cause; what moves money is an entry of the journal, of the kind that the table
names. So the states' sums are constant, `tpo ledger check` proves them, and a cause is paid what accrued to it, no more, no
less. Gifts go the same way in accounts of their own (`gifts:`, `gifts-confirmed:`, `gifts-payable:`, `gifts-instructed:`). No
commission is taken anywhere.

A tenth is confirmed when paid money stands behind its charge. What a wallet owes makes its latest charges unpaid, gifts first
([decision 056](decisions/056-the-tenth-has-a-life.md)).

This page is made from `gateway/charity/tenth_states.py` by `python -m gateway.charity.tenth_states`.
"""


def page() -> str:
    """Return docs/tenth-states.md."""
    ways = [f"    {step.before} --> {step.after}: {way}" for way, step in TABLE.items()]
    begin, end = f"    [*] --> {State.ACCRUED}", f"    {State.PAID} --> [*]"
    accounts = [f"| `{each}` | `{account_of(Stream.TENTH, each, '<cause>')}` | {STATES[each]} |" for each in State]
    steps = [f"| `{step.before}` | `{way}` | {step.when} | `{step.after}` |" for way, step in TABLE.items()]
    lines = ["```mermaid", "stateDiagram-v2", begin, *ways, end, "```", ""]
    lines += ["| state | account | what it means |", "|---|---|---|", *accounts, ""]
    lines += ["| from | entry | when | to |", "|---|---|---|---|", *steps]
    return _THEORY + "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
