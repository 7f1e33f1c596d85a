"""What decides a price and a tenth: a subscriber's plans and choices over time."""

import msgspec
from sqlalchemy import Connection, select

from gateway.charity.choices import Choice, Share
from gateway.store.batch import RowSet
from gateway.store.statements import SelectAmong
from gateway.store.tables import choices, subscriptions


class Profile(msgspec.Struct):
    """Plans as (valid_from, plan id) and choices, both in order of time."""

    plans: list[tuple[int, str]] = []
    choices: list[Choice] = []

    def plan_at(self, time: int) -> str | None:
        """Give the plan in force at a time; before the first, the first."""
        for valid_from, plan in reversed(self.plans):
            if valid_from <= time:
                return plan
        return self.plans[0][1] if self.plans else None


_PLANS = SelectAmong(
    select(subscriptions.c.subscriber_id, subscriptions.c.valid_from, subscriptions.c.plan, subscriptions.c.id),
    subscriptions.c.subscriber_id,
    int,
)
_CHOICES = SelectAmong(
    select(choices.c.subscriber_id, choices.c.valid_from, choices.c.cause, choices.c.share, choices.c.id),
    choices.c.subscriber_id,
    int,
)


class ProfileRows(RowSet[int, Profile]):
    """The profiles of the subscribers that a batch touches, by subscriber id; read after their wallets are locked."""

    def load(self, connection: Connection, keys: set[int]) -> None:
        """Read plans and choices of these subscribers."""
        for key in keys:
            self.rows[key] = Profile()
        for subscriber_id, valid_from, plan, _ in _PLANS.run(connection, keys):
            self.rows[subscriber_id].plans.append((valid_from, plan))
        for subscriber_id, valid_from, cause, share, _ in _CHOICES.run(connection, keys):
            _add_share(self.rows[subscriber_id].choices, valid_from, Share(cause, share))
        for profile in self.rows.values():
            if len(profile.plans) > 1:
                profile.plans.sort(key=lambda plan: plan[0])
            if len(profile.choices) > 1:
                profile.choices.sort(key=lambda choice: choice.valid_from)


def _add_share(known: list[Choice], valid_from: int, share: Share) -> None:
    for i, choice in enumerate(known):
        if choice.valid_from == valid_from:
            known[i] = Choice(valid_from, (*choice.shares, share))
            return
    known.append(Choice(valid_from, (share,)))
