"""Usage that a cap counts, priced anew: a line's months as wholes, so that each comes to the lesser of its sum and the cap.

What a record costs under a cap hangs on what else was used that day, in other sessions too. So all that a line used in a month
is counted again, in the order in which it was booked: what a wrong version priced by the right one, the rest as it stands. What
the right version has priced already may get another part of the cap; what another version priced rightly, was given back, or
cannot be put right keeps its price, and is counted. The wallet's counters go on from the new sums.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from sqlalchemy import select

from gateway.balance.caps import Recount, month_of
from gateway.balance.profiles import Profile, ProfileRows
from gateway.balance.wallets import Wallet, WalletRows
from gateway.charging.credit_control import ChargingPolicy
from gateway.charging.rerate import Left, RatedRecord, Rerated, RerateSession, given_back, is_overtaken
from gateway.rating.plans import Cap, Plan, caps_of
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.nodes import SPAN_BITS
from gateway.store.tables import usage
from gateway.subscribers.status import TERMINATED

_Costs = Mapping[int, tuple[Sequence[Cap], int]]
"""By record, the caps that count it by the right version, and what it costs without them."""


class RerateLine(Unit):
    """A line's months (such as 2026-11, by the operator's clocks) with records that caps count, and that are to be priced anew.

    `sessions` are all of which something was used in these months, `seen` the last usage of each node when they were read.
    `is_known`: all usage of the months is kept, and none of it was beyond the customer's own limit.
    """

    touches: ClassVar[tuple[type, ...]] = (WalletRows, ProfileRows)

    subscriber_id: int
    plan: str
    version: int
    months: list[str]
    sessions: list[RerateSession]
    seen: dict[int, int]
    is_known: bool
    dry_run: bool = False

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:  # noqa: ARG002  (the signature of a unit)
        """Name the subscriber."""
        return (self.subscriber_id,)

    def decide(self, batch: Batch) -> Rerated:
        """Book what puts them right, and tell what came of it."""
        result, policy = Rerated(), batch.policy(ChargingPolicy)
        wallet = batch.row_set(WalletRows).get(self.subscriber_id)
        profile = batch.row_set(ProfileRows).get(self.subscriber_id)
        plan = policy.tariff.plans.get(self.plan)
        mine = [each.due(policy.tariff, profile, batch.now, capped=True) for each in self.sessions]
        settled = given_back(batch, self.subscriber_id, [record for records in mine for record in records])
        result.leave(Left.GIVEN_BACK, len(settled))
        due = [[record for record in records if record.id not in settled] for records in mine]
        count = sum(map(len, due))
        if wallet is None or profile is None or wallet.status == TERMINATED:
            result.leave(Left.ENDED, count)
        elif plan is None or plan.version != self.version or self._is_overtaken(batch):
            result.leave(Left.MEANWHILE, count)
        elif not self.is_known:
            result.leave(Left.LIMITED, count)
        elif count:
            costs = self._costs(batch, plan, due, result)
            self._book(batch, wallet, profile, policy, costs, result)
        return result

    def _is_overtaken(self, batch: Batch) -> bool:
        """Return whether the line used something since it was read, or a record of it was priced anew."""
        for node, last in self.seen.items():
            since = select(usage.c.id).where(
                usage.c.id > last, usage.c.id < (node + 1) << SPAN_BITS, usage.c.subscriber_id == self.subscriber_id
            )
            if batch.connection.execute(since.limit(1)).first() is not None:
                return True
        return is_overtaken(batch, [record for session in self.sessions for record in session.records])

    def _costs(self, batch: Batch, plan: Plan, due: list[list[RatedRecord]], result: Rerated) -> _Costs:
        found: dict[int, tuple[Sequence[Cap], int]] = {}
        for session, records in zip(self.sessions, due, strict=True):
            for record, rate, cost in session.new_costs(batch, plan, records, result):
                if rate.service is not None:  # a limit of the law counts it now, of which nobody knows what was left
                    result.leave(Left.LIMITED)
                else:
                    found[record.id] = caps_of(plan, rate, record.service), cost
        return found

    def _book(
        self,
        batch: Batch,
        wallet: Wallet,
        profile: Profile,
        policy: ChargingPolicy,
        costs: _Costs,
        result: Rerated,
    ) -> None:
        zone = policy.tariff.zone
        recount, paid = Recount(zone), dict[int, int]()
        every = sorted((record for session in self.sessions for record in session.records), key=lambda each: each.id)
        for record in every:
            if month_of(record.event_at, zone) in self.months:
                caps, cost = costs.get(record.id, (record.caps, record.cost))
                recount.forget(record.caps, record.event_at)
                paid[record.id] = recount.pay(caps, record.event_at, cost)
        moved = [
            each for each in every if each.id in paid and each.id not in costs and self._is_moved(each, paid[each.id])
        ]
        put_right = costs.keys() | {each.id for each in moved} - given_back(batch, self.subscriber_id, moved)
        for session in self.sessions:
            prices = {record.id: paid[record.id] for record in session.records if record.id in put_right}
            if prices:
                session.book(batch, wallet, profile, policy, prices, result)
        if not self.dry_run:
            recount.settle(wallet, batch.now)

    def _is_moved(self, record: RatedRecord, price: int) -> bool:
        """Return whether a record that the right version has priced has another part of a cap now."""
        mine = record.plan == self.plan and record.version == self.version and bool(record.caps)
        return mine and record.charged.price != price
