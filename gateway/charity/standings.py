"""How much of what is owed to a cause stands in which state, and what moves it there: pure, in micro-units."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from gateway.charity.tenth_states import TABLE, State, Stream, Way
from gateway.ledger.account_names import UNASSIGNED

_FIELDS: Final[Mapping[State, str]] = {
    State.CONFIRMED: "confirmed",
    State.PAYABLE: "payable",
    State.INSTRUCTED: "instructed",
    State.PAID: "paid",
}


class Account(msgspec.Struct, frozen=True, order=True):
    """What a sum is of: the tenth or gifts, to which cause, in which currency."""

    stream: Stream
    cause: str
    currency: str


class Standing(msgspec.Struct):
    """What stands in each state after ACCRUED: together `moved`, which is what was taken out of that, net.

    CONFIRMED and PAYABLE may be below zero: a receivable against the next payment. `handed` is what went to a successor, or to
    `unassigned`, less what came from causes that this one succeeds.
    """

    moved: int = 0
    confirmed: int = 0
    payable: int = 0
    instructed: int = 0
    paid: int = 0
    handed: int = 0

    def move(self, way: Way, amount: int) -> None:
        """Move an amount, at least 1, along a way."""
        step = TABLE[way]
        if step.before is State.ACCRUED:
            self.moved += amount
        else:
            name = _FIELDS[step.before]
            setattr(self, name, getattr(self, name) - amount)
        if step.after is State.ACCRUED:
            self.moved -= amount
        else:
            name = _FIELDS[step.after]
            setattr(self, name, getattr(self, name) + amount)

    @property
    def is_whole(self) -> bool:
        """Whether the states add up to what was moved."""
        return self.moved == self.confirmed + self.payable + self.instructed + self.paid + self.handed


class Move(msgspec.Struct, frozen=True):
    """An amount that goes a way; with `to` it goes to another cause's account."""

    account: Account
    way: Way
    amount: int
    to: str = ""


def month_moves(account: Account, standing: Standing, target: int, *, payable: bool, successor: str = "") -> list[Move]:
    """Return what the confirmation of a month moves, and move it.

    `target` is all that is confirmed of what accrued so far. What a cause may be paid becomes payable; of one that may not,
    what was payable goes back, but for a receivable. What a closed cause has goes to its successor.
    """
    moves: list[Move] = []

    def move(way: Way, amount: int) -> None:
        if amount > 0:
            standing.move(way, amount)
            moves.append(Move(account, way, amount))

    move(Way.CONFIRM, target - standing.moved)
    move(Way.UNCONFIRM, standing.moved - target)
    if successor:
        move(Way.RECLAIM, standing.payable)
    elif payable:
        move(Way.RELEASE, standing.confirmed)
        move(Way.RECLAIM, -standing.confirmed)
    else:
        move(Way.RECLAIM, standing.payable)
    return moves


def succession(
    account: Account, standing: Standing, heir: Standing, successor: str, way: Way = Way.SUCCEED
) -> Move | None:
    """Move all that is confirmed of a closed cause to its successor: None where there is nothing."""
    amount = standing.confirmed
    if amount <= 0:
        return None
    for each, sign in ((standing, -1), (heir, 1)):
        each.confirmed += sign * amount
        each.handed -= sign * amount
    return Move(account, way, amount, successor)


class Roads(msgspec.Struct, frozen=True):
    """Where confirmed money of causes may go today.

    Attributes:
        payable: causes that may be paid, each with its currency.
        successors: of closed causes, as their regulator or trustees named them.
        unassigned: closed causes without one, whose customers were asked: their tenths go where the unchosen ones are. Gifts
            stay, as they were given to that charity.
    """

    payable: frozenset[tuple[str, str]] = frozenset()
    successors: dict[str, str] = {}
    unassigned: frozenset[str] = frozenset()


def all_moves(
    standings: dict[Account, Standing],
    targets: Mapping[Account, int],
    roads: Roads,
) -> Iterator[Move]:
    """Return what is moved of every cause, and move it: `targets` as in `month_moves`, without one nothing is confirmed anew.

    Closed causes with a successor go first, so that what they hand on goes on with their successor's own. What nobody chose a
    cause for is not moved.
    """
    successors = roads.successors
    wanted = standings.keys() | targets.keys()
    wanted |= {
        msgspec.structs.replace(each, cause=successors[each.cause]) for each in wanted if each.cause in successors
    }
    for account in sorted(wanted, key=lambda each: (each.cause not in successors, each)):
        if account.cause == UNASSIGNED:
            continue
        standing = standings.setdefault(account, Standing())
        successor = successors.get(account.cause, "")
        may_be_paid = (account.cause, account.currency) in roads.payable
        target = targets.get(account, standing.moved)
        yield from month_moves(account, standing, target, payable=may_be_paid, successor=successor)
        if successor:
            heir = standings.setdefault(msgspec.structs.replace(account, cause=successor), Standing())
            move = succession(account, standing, heir, successor)
        elif not may_be_paid and account.cause in roads.unassigned and account.stream is Stream.TENTH:
            move = succession(account, standing, Standing(), UNASSIGNED, Way.UNASSIGN)
        else:
            move = None
        if move is not None:
            yield move
