"""What the gateway itself does in an order: each step's effect and its mark in one transaction, so that it happens once."""

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec
from sqlalchemy import update

from gateway.balance import allowance_entries, endings
from gateway.balance.families import families_of, payers_of, return_lent
from gateway.balance.open_subscriber import Opening, open_subscriber
from gateway.balance.profiles import ProfileRows
from gateway.balance.wallets import Wallet, WalletRows
from gateway.charging.plan_changes import Effective, change_plan
from gateway.charity.choices import Share
from gateway.charity.policies import WHOLE
from gateway.charity.sealed_causes import CauseSeals, Consent
from gateway.events.outbox import publish
from gateway.ledger.books import Books
from gateway.messaging.submit import make
from gateway.messaging.texts import Text, TextRows
from gateway.privacy.masks import mask
from gateway.sims.cards import HolderRows, Sim, SimRows
from gateway.sims.order_steps import EndStep
from gateway.sims.orders import OrderRows, cause_owner
from gateway.sims.policy import SWAP, WELCOME, SimsPolicy
from gateway.store.batch import Batch, RowSet
from gateway.store.known_values import member_of
from gateway.store.tables import bill_accounts
from gateway.subscribers.history import NUMBER, PLAN, record
from gateway.subscribers.identifier_history import ICCID, IMSI, MSISDN, IdentifierRows
from gateway.subscribers.status import ACTIVE, CLOSING, SUSPENDED, TERMINATED
from provisioning.orders import Card, Mark, Order, begin, refuse, succeed
from provisioning.sim_lifecycle import SuspendReason, Trigger, resumed


class Effect(msgspec.Struct, frozen=True):
    """How the order goes on, the texts to be sent, and whose line it was."""

    order: Order
    texts: list[Text] = []
    subscriber_id: int | None = None


class LineStep(EndStep):
    """A step of the gateway itself: the order, its cards, their numbers and the customer's wallet are at hand."""

    touches: ClassVar[tuple[type, ...]] = (IdentifierRows, OrderRows, SimRows, WalletRows)

    numbers: tuple[str, ...] = ()
    """Those that the step may end or begin."""

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the numbers; the wallet is known once the cards are read."""
        if isinstance(row_set, IdentifierRows):
            return self.numbers
        if isinstance(row_set, WalletRows):
            kept = batch.row_set(OrderRows).get(self.order_id)
            sim = batch.row_set(SimRows).get(kept.order.iccid) if kept is not None else None
            if sim is None or sim.subscriber_id is None:
                return ()
            family = families_of(batch.connection, (sim.subscriber_id,)).get(sim.subscriber_id)
            return (sim.subscriber_id,) if family is None else (sim.subscriber_id, family.payer_id)
        return super().keys(row_set, batch)

    def decide(self, batch: Batch) -> Effect:  # type: ignore[override]  # a step of the gateway tells more than the order
        """Do it unless it was done, or the order turned round meanwhile; give the order as it goes on."""
        order = self.order(batch)
        if order.steps[self.move.place].mark is Mark.DONE or order.undoing or not order.open:
            return Effect(order)
        self.reach(batch, order, begin(order, self.move, batch.now))
        sim = self.sim(batch, order)
        texts = self.effect(batch, order, sim)
        return Effect(order, texts, sim.subscriber_id)

    def effect(self, batch: Batch, order: Order, sim: Sim) -> list[Text]:
        """Change what the step is about, and finish it here if nothing else is to be done for it."""
        raise NotImplementedError

    def wallet(self, batch: Batch, sim: Sim) -> Wallet:
        """Return the customer's wallet."""
        wallet = batch.row_set(WalletRows).get(sim.subscriber_id or 0)
        if wallet is None:
            raise LookupError("the card has no subscriber with a wallet")
        return wallet

    def settle(self, batch: Batch, wallet: Wallet, order: Order) -> None:
        """Settle what is left in the wallet of a customer who leaves (decision 010)."""
        books = batch.policy(Books)
        family = families_of(batch.connection, (wallet.subscriber_id,)).get(wallet.subscriber_id)
        payer = batch.row_set(WalletRows).get(family.payer_id) if family is not None else None
        if payer is not None:
            books.post(batch, return_lent(wallet, payer, batch.now))
        own = bill_accounts.c
        asked = update(bill_accounts).where(own.subscriber_id == wallet.subscriber_id, own.due > 0)
        looked_at = asked.values(next_at=batch.now)  # dunning looks at what it owes from now on
        is_billed = batch.connection.execute(looked_at).rowcount > 0
        booked = endings.settle(wallet, books.account, batch.now, order.id, batch.take_id, is_billed=is_billed)
        books.post(batch, booked.entries)
        allowance_entries.post(batch, booked.uses)

    def publish(self, batch: Batch, topic: str, sim: Sim, order: Order) -> None:
        """Publish what became of a line."""
        assert sim.subscriber_id is not None
        data = {"order": str(order.id), "plan": sim.plan, "reason": order.request.reason}
        policy = batch.policy(SimsPolicy)
        subject = policy.pseudonym(sim.subscriber_id)
        publish(batch, policy.source, topic, subject, {name: value for name, value in data.items() if value})

    def send(self, batch: Batch, kind: str, msisdn: str) -> list[Text]:
        """Queue a text of ours to the customer, unless none of this kind is sent."""
        draft = batch.policy(SimsPolicy).compose(kind, msisdn, batch.now)
        if draft is None:
            return []
        text = make(batch, draft)
        batch.row_set(TextRows).rows[text.id] = text
        return [text]


class Enable(LineStep):
    """The line comes to life: subscriber, wallet, plan, choice, numbers and welcome text, at once."""

    def effect(self, batch: Batch, order: Order, sim: Sim) -> list[Text]:
        """Open the subscriber."""
        request = order.request
        cause = batch.policy(CauseSeals).open_text(request.cause, cause_owner(order.id))
        shares = (Share(cause, WHOLE),) if cause else ()
        numbers = {MSISDN: request.msisdn, IMSI: sim.imsi, ICCID: sim.iccid}
        taken = [
            kind for kind, number in numbers.items() if batch.row_set(IdentifierRows).current(kind, number) is not None
        ]
        if taken:  # by an import of lines, since the order was accepted
            error = f"{', '.join(taken)}: belongs to another line by now"
            self.reach(batch, order, refuse(order, self.move, error, batch.now, untouched=True))
            return []
        opening = Opening(
            numbers,
            request.plan,
            batch.policy(SimsPolicy).currencies[request.plan],
            shares,
            valid_from=batch.now,
            consent=Consent("order"),
        )
        sim.subscriber_id = open_subscriber(batch, opening)
        sim.touch(batch.now)
        self.finish(batch, order, self.move)
        self.publish(batch, "sim/activated", sim, order)
        return self.send(batch, WELCOME, request.msisdn)


class Bar(LineStep):
    """The customer is served no more, until the reason is gone; the host follows."""

    def effect(self, batch: Batch, order: Order, sim: Sim) -> list[Text]:
        """Stop charging; the order executor marks the step when the open sessions were told."""
        wallet = self.wallet(batch, sim)
        if wallet.status != SUSPENDED:
            wallet.status = SUSPENDED
            self.publish(batch, "sim/suspended", sim, order)
        return []


class Unbar(LineStep):
    """A reason is gone; when it was the last one, the customer is served again."""

    def effect(self, batch: Batch, order: Order, sim: Sim) -> list[Text]:
        """Take the reason away."""
        reason = member_of(SuspendReason, order.request.reason, "orders", order.id)
        sim.suspended_for = resumed(sim.suspended_for, reason)
        sim.touch(batch.now)
        if sim.suspended_for:
            sim.move(batch, Trigger.EASE, order.actor, order.request.reason, order.id)
            succeed(order, self.move, batch.now)  # the card stays as it is: no moment of the order moves it
            self.reach(batch, order, None)
            return []
        self.wallet(batch, sim).status = ACTIVE
        self.finish(batch, order, self.move)
        self.publish(batch, "sim/resumed", sim, order)
        return []


class Notify(LineStep):
    """The customer hears of a swap on the old card, before anything is done."""

    def effect(self, batch: Batch, order: Order, sim: Sim) -> list[Text]:
        """Queue the notice once; the order executor marks the step when it has arrived, or had its time."""
        log = order.steps[self.move.place]
        if log.note or sim.msisdn is None:
            return []
        texts = self.send(batch, SWAP, sim.msisdn)
        log.note = str(texts[0].id) if texts else "no text is sent"
        return texts


class Replace(LineStep):
    """The line moves to its new card: from now on the new IMSI and ICCID are the customer's."""

    def effect(self, batch: Batch, order: Order, sim: Sim) -> list[Text]:
        """Move number, plan and subscriber."""
        new, lines = self.sim(batch, order, Card.NEW), batch.row_set(IdentifierRows)
        assert sim.subscriber_id is not None
        for kind, old_value, value in ((IMSI, sim.imsi, new.imsi), (ICCID, sim.iccid, new.iccid)):
            lines.end(kind, old_value, batch.now)
            lines.begin(batch, kind, value, sim.subscriber_id)
        new.msisdn, new.subscriber_id, new.plan = sim.msisdn, sim.subscriber_id, sim.plan
        sim.msisdn, sim.suspended_for, sim.free_at = None, frozenset(), batch.now + batch.policy(SimsPolicy).quarantine
        self.wallet(batch, sim).status = ACTIVE
        self.finish(batch, order, self.move)
        self.publish(batch, "sim/swapped", new, order)
        sim.subscriber_id = None
        return []


class Renumber(LineStep):
    """The line has another number from now on; the old one goes into quarantine."""

    touches: ClassVar[tuple[type, ...]] = (*LineStep.touches, HolderRows)

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the numbers here, too."""
        return self.numbers if isinstance(row_set, HolderRows) else super().keys(row_set, batch)

    def effect(self, batch: Batch, order: Order, sim: Sim) -> list[Text]:
        """Move the subscriber to the number, unless somebody got it meanwhile."""
        lines, msisdn = batch.row_set(IdentifierRows), order.request.msisdn
        holder = batch.row_set(HolderRows).get(msisdn)
        if lines.current(MSISDN, msisdn) is not None or holder not in (None, sim.iccid):
            error = f"{MSISDN}: belongs to another line by now"
            self.reach(batch, order, refuse(order, self.move, error, batch.now, untouched=True))
            return []
        assert sim.subscriber_id is not None
        before = renumber(batch, sim, msisdn)
        self.finish(batch, order, self.move)
        values = (mask(before), mask(msisdn))
        record(batch, sim.subscriber_id, NUMBER, values, order.actor, order.request.reason, order.id)
        self.publish(batch, "sim/renumbered", sim, order)
        return []


class Replan(LineStep):
    """The line has another plan, from when on the order says."""

    touches: ClassVar[tuple[type, ...]] = (*LineStep.touches, ProfileRows)

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name whoever pays for the line, or did, too: its tenths may have gone to their causes."""
        named = tuple(super().keys(row_set, batch))
        owner = named[0] if named and isinstance(row_set, WalletRows) else None
        return named if not isinstance(owner, int) else (*named, *payers_of(batch.connection, owner))

    def effect(self, batch: Batch, order: Order, sim: Sim) -> list[Text]:
        """Begin the plan."""
        assert sim.subscriber_id is not None
        plan, effective = order.request.plan, member_of(Effective, order.request.effective, "orders", order.id)
        before = change_plan(batch, self.wallet(batch, sim), plan, effective)
        sim.plan = plan
        self.finish(batch, order, self.move)
        record(batch, sim.subscriber_id, PLAN, (before, plan), order.actor, order.request.reason, order.id)
        self.publish(batch, "sim/replanned", sim, order)
        return []


def renumber(batch: Batch, sim: Sim, msisdn: str) -> str:
    """Return a card's line another number, and let the one go that it had, which is given back."""
    assert sim.subscriber_id is not None
    before, lines = sim.msisdn or "", batch.row_set(IdentifierRows)
    lines.end(MSISDN, before, batch.now)
    lines.begin(batch, MSISDN, msisdn, sim.subscriber_id)
    sim.msisdn = msisdn
    sim.touch(batch.now)
    return before


class Close(LineStep):
    """The customer leaves: no new session is served from now on."""

    def effect(self, batch: Batch, order: Order, sim: Sim) -> list[Text]:
        """Stop charging; the order executor marks the step when the sessions have ended."""
        del order
        self.wallet(batch, sim).status = CLOSING
        return []


class End(LineStep):
    """The line has ended: numbers are let go into quarantine, and what is left in the wallet is settled."""

    def effect(self, batch: Batch, order: Order, sim: Sim) -> list[Text]:
        """Settle and let go."""
        wallet, lines = self.wallet(batch, sim), batch.row_set(IdentifierRows)
        self.settle(batch, wallet, order)
        wallet.status = TERMINATED
        for kind, value in ((MSISDN, sim.msisdn), (IMSI, sim.imsi), (ICCID, sim.iccid)):
            if value is not None:
                lines.end(kind, value, batch.now)
        sim.msisdn, sim.suspended_for, sim.free_at = None, frozenset(), batch.now + batch.policy(SimsPolicy).quarantine
        self.finish(batch, order, self.move)
        self.publish(batch, "sim/terminated", sim, order)
        return []


class Retire(LineStep):
    """A card's quarantine is over: it is of no use any more, and what came late is settled."""

    def effect(self, batch: Batch, order: Order, sim: Sim) -> list[Text]:
        """Settle what is left; forget the keys."""
        wallet = batch.row_set(WalletRows).get(sim.subscriber_id or 0)
        if wallet is not None and wallet.status == TERMINATED:
            self.settle(batch, wallet, order)
        sim.keys, sim.free_at = None, None
        self.finish(batch, order, self.move)
        return []


EFFECTS: dict[str, type[LineStep]] = {
    "line.enable": Enable,
    "line.bar": Bar,
    "line.open": Unbar,
    "line.notice": Notify,
    "line.move": Replace,
    "line.close": Close,
    "line.end": End,
    "line.renumber": Renumber,
    "line.replan": Replan,
    "line.retire": Retire,
}
"""The gateway's own steps by their names in provisioning.orders."""
