"""What decides a price and a tenth: a subscriber's plans and choices over time."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, select

from gateway.balance.wallets import WalletRows
from gateway.charity.choices import Choice, Share
from gateway.charity.sealed_causes import CauseSeals, Consent, ask_choices, write_choice
from gateway.store.batch import Batch, RowSet
from gateway.store.statements import SelectAmong
from gateway.store.tables import choices, subscriptions


class Profile(msgspec.Struct, frozen=True, gc=False):
    """Plans as (valid_from, plan id) and choices, both in order of time."""

    plans: tuple[tuple[int, str], ...] = ()
    choices: tuple[Choice, ...] = ()

    def subscription_at(self, time: int) -> tuple[int, str] | None:
        """Return the plan in force at a time, and from when on the line has it; before the first, the first."""
        for subscription in reversed(self.plans):
            if subscription[0] <= time:
                return subscription
        return self.plans[0] if self.plans else None

    def plan_at(self, time: int) -> str | None:
        """Return the id of the plan in force at a time; before the first, the first."""
        subscription = self.subscription_at(time)
        return None if subscription is None else subscription[1]


_PLANS = SelectAmong(
    select(subscriptions.c.subscriber_id, subscriptions.c.valid_from, subscriptions.c.plan, subscriptions.c.id),
    subscriptions.c.subscriber_id,
    int,
)


class ProfileRows(RowSet[int, Profile]):
    """The profiles of the subscribers that a batch touches, by subscriber id; read after their wallets are locked."""

    keyed_like = WalletRows
    led_to = True
    kept = 32_768
    reads = (subscriptions, choices)

    def ask(self, connection: Connection, keys: set[int]) -> Callable[[], None]:
        """Read plans and choices of these subscribers; a choice is opened once, and kept so."""
        plans, chosen = _PLANS.ask(connection, keys), ask_choices(connection, keys)

        def take() -> None:
            plans_of = _plans(plans.rows(), keys)
            choices_of = chosen(self.policy(CauseSeals))
            for key in keys:
                self.rows[key] = self.settled[key] = Profile(plans_of[key], choices_of.get(key, ()))

        return take

    def restore(self, rows: Mapping[int, Profile]) -> None:
        """Put in profiles."""
        self.rows.update(rows)

    def drop_waiting(self, batch: Batch, subscriber_id: int) -> None:
        """Call off a plan that has not begun."""
        profile = self.rows[subscriber_id]
        begun = tuple(plan for plan in profile.plans if plan[0] <= batch.now)
        if begun and len(begun) < len(profile.plans):
            late = (subscriptions.c.subscriber_id == subscriber_id, subscriptions.c.valid_from > batch.now)
            gone = batch.connection.execute(delete(subscriptions).where(*late).returning(subscriptions.c.id))
            for number in gone.scalars().all():
                batch.prove(subscriptions, (number,))
            self.rows[subscriber_id] = Profile(begun, profile.choices)

    def begin_plan(self, batch: Batch, subscriber_id: int, plan: str, at: int = 0) -> str:
        """Give a subscriber another plan from now, or a later time on; gives the one before."""
        profile = self.rows[subscriber_id]
        before, last = profile.plans[-1] if profile.plans else (0, "")
        valid_from = max(at, batch.now, before + 1)
        batch.add(subscriptions, (batch.take_id(), subscriber_id, plan, valid_from))
        self.rows[subscriber_id] = Profile((*profile.plans, (valid_from, plan)), profile.choices)
        return last

    def begin_anew(self, batch: Batch, subscriber_id: int) -> None:
        """Have a subscriber begin the plan anew that it has now; one that waits stays as it is."""
        profile = self.rows[subscriber_id]
        begun = [each for each in profile.plans if each[0] <= batch.now] or list(profile.plans[:1])
        since, plan = begun[-1]
        subscription = max(batch.now, since + 1), plan
        batch.add(subscriptions, (batch.take_id(), subscriber_id, plan, subscription[0]))
        plans = tuple(sorted((*profile.plans, subscription), key=_begins))
        self.rows[subscriber_id] = Profile(plans, profile.choices)

    def begin_choice(self, batch: Batch, subscriber_id: int, shares: tuple[Share, ...], consent: Consent) -> None:
        """Have a subscriber's tenth go to other causes from now on."""
        profile = self.rows[subscriber_id]
        before = profile.choices[-1].valid_from if profile.choices else 0
        valid_from = max(batch.now, before + 1)
        write_choice(batch, subscriber_id, shares, valid_from, consent)
        self.rows[subscriber_id] = Profile(profile.plans, (*profile.choices, Choice(valid_from, shares)))


def read_plans(connection: Connection, subscribers: Collection[int]) -> dict[int, tuple[tuple[int, str], ...]]:
    """Return the plans of these subscribers over time, and nothing of their choices."""
    return _plans(_PLANS.run(connection, subscribers), subscribers)


def _plans(rows: Iterable[tuple[Any, ...]], subscribers: Iterable[int]) -> dict[int, tuple[tuple[int, str], ...]]:
    plans: dict[int, list[tuple[int, str]]] = {each: [] for each in subscribers}
    for subscriber_id, valid_from, plan, _ in rows:
        plans[subscriber_id].append((valid_from, plan))
    return {each: tuple(sorted(known, key=_begins)) for each, known in plans.items()}


def _begins(plan: tuple[int, str]) -> int:
    return plan[0]
