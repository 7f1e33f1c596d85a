"""What happens to lines of a simulated operator in a month: use, payments and requests, each at its time; the seed draws it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Final

import msgspec

from simulators.year.lines import ABROAD, Line
from simulators.year.settings_files import BUNDLE, MONTHLY, PAYG

DATA, VOICE, SMS = "data", "voice", "sms"
PREMIUM, FRIEND = "449098790123", "447700800123"
ROUNDS: Final = {DATA: 3.0, VOICE: 2.5, SMS: 2.0}
"""Sessions, calls and texts of a line and month on average."""
BY_APP: Final = 0.15
MEGABYTE: Final = 1_000_000


class Use(msgspec.Struct, frozen=True):
    """What a line uses at a time: octets, seconds or texts.

    `beyond`: its client reports more than it was granted. `by_app`: a text that is sent by an app of the company, and so
    through its message queue.
    """

    at: datetime
    line: Line
    service: str
    units: int
    called: str = ""
    network: str = ""
    beyond: bool = False
    by_app: bool = False


class CustomerAction(StrEnum):
    """What customers do beside using their lines."""

    PAY_IN = "pay in"
    GIVE_BY_TEXT = "give by text"
    GIVE = "give"
    GIVE_AND_WITHDRAW = "give and withdraw"
    CHOOSE = "choose"
    CHANGE_PLAN = "change plan"
    ADD_ON = "add-on"
    COMPLAIN = "complain"
    LEAVE = "leave"


YEARLY: Final = {
    CustomerAction.GIVE_BY_TEXT: 0.5,
    CustomerAction.GIVE: 0.5,
    CustomerAction.GIVE_AND_WITHDRAW: 0.15,
    CustomerAction.CHOOSE: 0.4,
    CustomerAction.CHANGE_PLAN: 0.15,
    CustomerAction.ADD_ON: 0.2,
    CustomerAction.COMPLAIN: 0.03,
    CustomerAction.LEAVE: 0.3,
}
"""How often a line asks for each in a year."""


class CustomerEvent(msgspec.Struct, frozen=True):
    """What a line's customer asks for at a time; `amount` in pounds where it has one."""

    at: datetime
    line: Line
    action: CustomerAction
    amount: int = 0


def month_of(lines: Sequence[Line], begin: datetime, end: datetime, seed: int) -> list[Use | CustomerEvent]:
    """Draw a month of all lines, in the order of time."""
    found: list[Use | CustomerEvent] = []
    for line in lines:
        if not line.gone:
            random = Random(f"{seed} {line.place} {begin:%Y-%m}")  # noqa: S311  (traffic, no secret)
            found += _uses(line, random, begin, end)
            found += _customer_events(line, random, begin, end)
    return sorted(found, key=lambda each: each.at)


def _uses(line: Line, random: Random, begin: datetime, end: datetime) -> Iterator[Use]:
    for service, average in ROUNDS.items():
        for _ in range(_count(random, average * line.activity)):
            yield _use(line, service, random, _moment(random, begin, end))


def _use(line: Line, service: str, random: Random, at: datetime) -> Use:
    if service == DATA:
        abroad = random.choice(ABROAD) if line.plan == PAYG and random.random() < 0.03 else ""
        octets = int(random.lognormvariate(3.2, 1.0) * MEGABYTE) + 1
        octets = min(octets, 20 * MEGABYTE) if abroad else min(octets, 300 * MEGABYTE)
        return Use(at, line, DATA, octets, network=abroad, beyond=random.random() < 0.02)
    if service == VOICE:
        premium = line.plan == PAYG and random.random() < 0.02
        return Use(at, line, VOICE, random.randint(3, 900), called=PREMIUM if premium else FRIEND)
    return Use(at, line, SMS, 1, called=FRIEND, by_app=random.random() < BY_APP)


def _customer_events(line: Line, random: Random, begin: datetime, end: datetime) -> Iterator[CustomerEvent]:
    if line.plan != MONTHLY and random.random() < 0.9:
        yield CustomerEvent(_moment(random, begin, begin + timedelta(days=5)), line, CustomerAction.PAY_IN, line.bought)
    for action, yearly in YEARLY.items():
        if random.random() < yearly / 12 and _fits(line, action):
            yield CustomerEvent(_moment(random, begin + timedelta(days=5), end), line, action, random.choice((1, 2, 5)))


def _fits(line: Line, action: CustomerAction) -> bool:
    if action is CustomerAction.ADD_ON:
        return line.plan == BUNDLE
    return (
        line.has_card
        if action is CustomerAction.LEAVE
        else line.plan != MONTHLY or action is not CustomerAction.CHANGE_PLAN
    )


def _count(random: Random, average: float) -> int:
    """Draw how often something happens (Poisson, by its gaps)."""
    count, left = 0, random.expovariate(1.0)
    while left < average:
        count, left = count + 1, left + random.expovariate(1.0)
    return count


def _moment(random: Random, begin: datetime, end: datetime) -> datetime:
    """Draw a time, in whole seconds and mostly by day; both ends are left out by a minute."""
    last = int((end - begin).total_seconds()) - 120
    return begin + timedelta(seconds=60 + random.randrange(last))
