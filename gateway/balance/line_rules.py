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


class LineObserver(Protocol):
    """Looks at a line after it was used or topped up; it may mark its wallet, and write rows with the batch."""

    def after_use(self, batch: Batch, wallet: Wallet, profile: Profile, use: Use) -> None:
        """Look at a line that was used; called for each charging request, so that it has to be quick where nothing is near."""

    def after_top_up(self, batch: Batch, wallet: Wallet, profile: Profile, amount: int) -> None:
        """Look at a line that money was paid in for."""


class LineRules(msgspec.Struct, frozen=True):
    """The observers, as a policy of the write lane."""

    observers: tuple[LineObserver, ...] = ()

    def after_use(self, batch: Batch, wallet: Wallet, profile: Profile, use: Use) -> None:
        """Have each look at a use."""
        for observer in self.observers:
            observer.after_use(batch, wallet, profile, use)

    def after_top_up(self, batch: Batch, wallet: Wallet, profile: Profile, amount: int) -> None:
        """Have each look at a top-up."""
        for observer in self.observers:
            observer.after_top_up(batch, wallet, profile, amount)
