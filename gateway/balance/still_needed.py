"""What a configuration may not take away: plans that customers stand on, and causes that are chosen or owed money.

The store says what there was before, whatever file it came from: a start asks it as well as a reload.
"""

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, exists, func, select

from gateway.charity.causes import Cause
from gateway.charity.sealed_causes import CauseSeals, read_all
from gateway.ledger.accounts import accounts_of
from gateway.ledger.balances import Selection, account_names, journal_totals
from gateway.rating.plan_versions import LATE_US, plan_if_any
from gateway.rating.plans import Plan
from gateway.store.tables import subscribers, subscriptions, wallets
from gateway.store.versions import CAUSE, PLAN, known_names
from gateway.subscribers.status import TERMINATED


class StillNeeded(ValueError):
    """A configuration without something that customers stand on; each problem names it, and what to do."""

    def __init__(self, problems: list[str]) -> None:
        """Take what is wrong, as `plans: ...` or `causes: ...`."""
        super().__init__("; ".join(problems))
        self.problems = problems


def check_nothing_needed_goes(
    connection: Connection, plans: Mapping[str, Plan], causes: Mapping[str, Cause], now: int, seals: CauseSeals
) -> None:
    """Raise StillNeeded where plans or causes lack what is needed of those before them; `now` in microseconds.

    Where a cause is gone from the file, all choices are opened once to see whether anybody still has it.
    """
    found = [*_plans_needed(connection, plans, now), *_causes_needed(connection, causes, seals)]
    if found:
        raise StillNeeded(found)


def _plans_needed(connection: Connection, new: Mapping[str, Plan], now: int) -> Iterable[str]:
    known = {name: plan_if_any(version) for name, version in known_names(connection, PLAN).items()}
    doubtful = [
        name for name, plan in known.items() if name not in new or plan is None or plan.currency != new[name].currency
    ]
    if not doubtful:
        return
    later = subscriptions.alias("later")
    left = exists().where(
        later.c.subscriber_id == subscriptions.c.subscriber_id,
        later.c.valid_from > subscriptions.c.valid_from,
        later.c.valid_from <= now - LATE_US,
    )
    customers = func.count(subscriptions.c.subscriber_id.distinct())
    rows = (
        select(subscriptions.c.plan, wallets.c.currency, customers)
        .join_from(subscriptions, wallets, wallets.c.subscriber_id == subscriptions.c.subscriber_id)
        .join(subscribers, subscribers.c.id == subscriptions.c.subscriber_id)
        .where(subscriptions.c.plan.in_(doubtful), subscribers.c.status != TERMINATED, ~left)
        .group_by(subscriptions.c.plan, wallets.c.currency)
        .order_by(subscriptions.c.plan, wallets.c.currency)
    )
    for plan, currency, count in connection.execute(rows):
        lines = f"{count} customers stand" if count > 1 else "a customer stands"
        if plan not in new:
            yield f"plans: {lines} on {plan}, or did within two days: keep it, and give them another plan first"
        elif new[plan].currency != currency:
            yield f"plans: {lines} on {plan} with wallets in {currency}: a plan in {new[plan].currency} is a new plan"


def _causes_needed(connection: Connection, new: Mapping[str, Cause], seals: CauseSeals) -> Iterable[str]:
    """How many chose a cause is not told, here as elsewhere."""
    gone = [cause for cause in known_names(connection, CAUSE) if cause not in new]
    if not gone:
        return
    numbers = {name: number for number, name in account_names(connection).items()}
    accounts = {cause: [numbers[name] for name in accounts_of(cause) if name in numbers] for cause in gone}
    owed = {
        number
        for (number, _), amount in journal_totals(
            connection, only=Selection([number for each in accounts.values() for number in each])
        ).items()
        if amount
    }
    chosen = _chosen(connection, seals)
    for cause in gone:
        if owed & set(accounts[cause]) or cause in chosen:
            yield f"causes: {cause} is chosen by customers, or owed money: close it (open: false), and keep it in the file"


def _chosen(connection: Connection, seals: CauseSeals) -> set[str]:
    """Return the causes that customers have now, or will have: each one's last choice counts."""
    ended = set(connection.scalars(select(subscribers.c.id).where(subscribers.c.status == TERMINATED)))
    last: dict[int, tuple[int, set[str]]] = {}
    for each in read_all(connection, seals):
        valid_from, causes = last.get(each.subscriber_id, (each.valid_from, set()))
        if each.valid_from >= valid_from and each.cause is not None and each.subscriber_id not in ended:
            last[each.subscriber_id] = each.valid_from, {each.cause, *(causes if each.valid_from == valid_from else ())}
    return {cause for _, causes in last.values() for cause in causes}
