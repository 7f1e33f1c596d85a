"""The lines of a simulated operator: who has which plan, gives to what, uses how much, and how it pays; the seed draws them."""

from random import Random
from typing import Final

import msgspec

from simulators.year.settings_files import BUNDLE, CAUSES, MONTHLY, PAYG

PLANS: Final = {PAYG: 55, BUNDLE: 30, MONTHLY: 15}
"""Of a hundred lines."""
PROMPT, LATE, RETURNED, NEVER = "prompt", "late", "returned", "never"
PAYS: Final = {PROMPT: 70, LATE: 15, RETURNED: 7, NEVER: 8}
"""How lines pay that do so by the month: in time, after the date, by a debit that the bank takes back, or not at all."""
ABROAD: Final = ("20810", "26201")
CREDIT_LIMIT: Final = 60_000_000
"""How far who pays at the end of the month may go below zero, in micro-units."""


class Line(msgspec.Struct):
    """A line; `activity` is how much it uses beside others, `causes` are as `tpo subscriber cause` takes them.

    `bought` is a month's credit in pounds of who pays before. A line whose card is in the inventory (`has_card`) is activated
    by order, the others were live on the host before; `gone` once it has ended.
    """

    place: int
    plan: str
    causes: tuple[str, ...]
    activity: float
    pays: str
    bought: int
    renews: bool
    has_card: bool
    gone: bool = False

    @property
    def msisdn(self) -> str:
        """A number like those of Ofcom's range for drama."""
        return f"4477009{self.place:05d}"

    @property
    def imsi(self) -> str:
        """An IMSI of a test network."""
        return f"23415{self.place:010d}"

    @property
    def iccid(self) -> str:
        """An ICCID whose check digit is right (Luhn)."""
        digits = f"894410{self.place:011d}7"  # so that it does not end as a number that was rounded
        doubled = (sum(divmod(2 * int(digit), 10)) if place % 2 == 0 else int(digit) for place, digit in
                   enumerate(reversed(digits)))  # fmt: skip
        return f"{digits}{-sum(doubled) % 10}"

    @property
    def pays_later(self) -> bool:
        """Whether it pays at the end of the month."""
        return self.plan == MONTHLY


def draw(random: Random, count: int) -> list[Line]:
    """Draw so many lines; of each plan and each way to pay there is one at least."""
    lines = []
    for place in range(count):
        plan = _drawn(random, PLANS) if place >= len(PLANS) + len(PAYS) else (*PLANS, *[MONTHLY] * len(PAYS))[place]
        pays = _drawn(random, PAYS) if place >= len(PLANS) + len(PAYS) else (*[PROMPT] * len(PLANS), *PAYS)[place]
        activity = min(random.lognormvariate(0.0, 0.6), 4.0)
        bought = 10 if plan == BUNDLE else random.choice((5, 5, 10))
        renews, has_card = random.random() < 0.8, plan == MONTHLY or random.random() < 0.1
        lines.append(Line(place, plan, _causes(random), activity, pays, bought, renews, has_card))
    return lines


def _causes(random: Random) -> tuple[str, ...]:
    """Choose one cause, or two, or none."""
    chance, names = random.random(), [cause.id for cause in CAUSES]
    if chance < 0.12:
        return ()
    first = random.choices(names, (34, 26, 15, 15, 10))[0]
    if chance < 0.75:
        return (first,)
    second = random.choice([name for name in names if name != first])
    percent = random.choice((50, 60, 45, 95))
    return (f"{first}={percent}", f"{second}={100 - percent}")


def _drawn(random: Random, of: dict[str, int]) -> str:
    return random.choices(list(of), list(of.values()))[0]
