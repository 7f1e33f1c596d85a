"""Who looks at each line's use within the unit that books it: notices to its customer, and fraud limits.

What follows is written by the same transaction: a kill loses none of it, and does none of it twice.
"""

from typing import Protocol

import msgspec

from gateway.balance.profiles import Profile
from gateway.balance.wallets import Wallet
from gateway.store.batch import Batch


class Use(msgspec.Struct, gc=False):
    """What a unit came to for a line: the service (data, voice, sms), and what it charged in micro-units.

    `session` is its number, 0 for none. `network` (MCC and MNC) and `number` (that was called, E.164 digits) are empty where
    nobody said. `limited` is the limit of the customer's (balance.spending) that refused something, or took it without a bill,
    if one did.
    """

    service: str
    charged: int
    network: str = ""
    number: str = ""
    session: int = 0
    limited: str = ""


class Near(msgspec.Struct, frozen=True):
    """When an observer has to look at a line at all: most uses are of lines that no limit is near to.

    `balance`: below so many micro-units; `charged_in_hour`: from so many on; `numbers`: where a called number is named.
    """

    balance: int = 0
    charged_in_hour: int = (1 << 63) - 1
    numbers: bool = False


class LineObserver(Protocol):
    """Looks at a line after it was used or topped up; it may mark its wallet, and write rows with the batch."""

    near: Near

    def after_use(self, batch: Batch, wallet: Wallet, profile: Profile, use: Use) -> None:
        """Look at a line that was used; not called where nothing is near (`LineRules.is_near`)."""

    def after_top_up(self, batch: Batch, wallet: Wallet, profile: Profile, amount: int) -> None:
        """Look at a line that money was paid in for."""


class LineRules(msgspec.Struct, frozen=True):
    """The observers, as a policy of the write lane."""

    observers: tuple[LineObserver, ...] = ()
    near: Near = Near()

    @classmethod
    def of(cls, *observers: LineObserver) -> "LineRules":
        """Take the observers, in their order; a line is near where it is near for any of them."""
        near = [observer.near for observer in observers]
        balance, charged = max(each.balance for each in near), min(each.charged_in_hour for each in near)
        return cls(observers, Near(balance, charged, numbers=any(each.numbers for each in near)))

    def is_near(self, wallet: Wallet, network: str, number: str, limited: str) -> bool:
        """Return whether a use has to be looked at: of each charging request, and so in one expression.

        Whatever was marked of a line before, a limit, a bundle, use abroad or another country has it looked at.
        """
        spending, near = wallet.spending, self.near
        return bool(
            limited
            or spending.limit >= 0
            or spending.abroad
            or spending.marks
            or wallet.allowances
            or wallet.balance < near.balance
            or spending.charged_in_hour >= near.charged_in_hour
            or (number and near.numbers)
            or (network and not network.startswith(spending.country or "-"))
            or spending.months
        )

    def after_use(self, batch: Batch, wallet: Wallet, profile: Profile, use: Use) -> None:
        """Have each look at a use."""
        for observer in self.observers:
            observer.after_use(batch, wallet, profile, use)

    def after_top_up(self, batch: Batch, wallet: Wallet, profile: Profile, amount: int) -> None:
        """Have each look at a top-up."""
        for observer in self.observers:
            observer.after_top_up(batch, wallet, profile, amount)
