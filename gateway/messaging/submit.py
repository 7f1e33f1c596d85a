"""Taking texts in from whoever sends them: all of a request or none, each reference once."""

from collections.abc import Iterable
from typing import Any, ClassVar

import msgspec

from gateway.balance import allowance_entries
from gateway.balance.families import lend
from gateway.balance.line_rules import LineRules, Use
from gateway.balance.profiles import ProfileRows
from gateway.balance.spending import BILL
from gateway.balance.usage import BundleSale
from gateway.balance.wallets import WalletRows
from gateway.charging.credit_control import ChargingPolicy
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.text_charges import (
    Hold,
    free_hold,
    give_back,
    hold,
    key_of,
    plan_of,
    rate_to,
    sell_needed_bundle,
)
from gateway.messaging.texts import Text, TextPart, TextRows, TextState
from gateway.rating.destinations import Destination, called_number, destination
from gateway.store.batch import Batch, RowSet, Unit
from gateway.store.idempotency import Digests, KeptResult, KeyRows
from gateway.subscribers.identifier_history import MSISDN, IdentifierRows
from gateway.subscribers.status import ACTIVE


class Draft(msgspec.Struct, frozen=True):
    """A checked text that somebody wants sent. `parts` is how many segments it takes; times in microseconds."""

    source: str
    destination: str
    body: str
    parts: int
    valid_until: int
    registered_delivery: int = 1
    always: bool = False
    reference: str | None = None

    def digest(self, digests: Digests) -> str:
        """Return a digest by which this body is told from another under the same reference."""
        return digests(self.source, self.destination, self.body, self.registered_delivery)


class Refusal(msgspec.Struct, frozen=True):
    """Why nothing of the request was taken: the place of the draft at fault, a stable code, a sentence."""

    place: int
    code: str
    detail: str


class Accepted(msgspec.Struct, frozen=True):
    """The ids in the order of the drafts, and the texts that are new and wait to be sent."""

    ids: list[int]
    new: list[Text]


class AcceptTexts(Unit):
    """The drafts of one request of one client, in whose scope references are unique."""

    touches: ClassVar[tuple[type, ...]] = (KeyRows, IdentifierRows, WalletRows, ProfileRows)

    client: str
    drafts: list[Draft]

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the references, the senders, and the subscribers who are behind them."""
        if isinstance(row_set, KeyRows):
            return [(self._scope, draft.reference) for draft in self.drafts if draft.reference]
        if isinstance(row_set, IdentifierRows):
            return {number for draft in self.drafts for number in (draft.source, draft.destination)}
        if isinstance(row_set, WalletRows):
            lines = batch.row_set(IdentifierRows)
            owners = (lines.owner(MSISDN, draft.source, batch.now) for draft in self.drafts)
            found = {owner for owner in owners if owner is not None}
            return found | {family.payer_id for owner in found if (family := lines.family_of(owner)) is not None}
        return ()

    def decide(self, batch: Batch) -> Accepted | Refusal:
        """Take all drafts, or none: what a refused request held is given back."""
        ids: list[int] = []
        new: dict[int, tuple[Draft, Text]] = {}
        references: dict[str, KeptResult] = {}
        sales: list[BundleSale] = []
        policy = batch.policy(MessagingPolicy)
        for place, draft in enumerate(self.drafts):
            known = self._known(batch, draft, references)
            outcome = self._make(batch, draft, policy.charging, sales) if known is None else known
            if isinstance(outcome, Refusal):
                self._give_back(batch, [text for _, text in new.values()])
                for sold in sales:
                    sold.undo()
                return msgspec.structs.replace(outcome, place=place)
            if isinstance(outcome, Text):
                new[outcome.id] = (draft, outcome)
                if draft.reference is not None:
                    references[draft.reference] = KeptResult(draft.digest(policy.digests), str(outcome.id).encode())
            ids.append(outcome.id if isinstance(outcome, Text) else outcome)
        for sold in sales:
            policy.charging.books.post(batch, sold.entries)
            allowance_entries.post(batch, sold.grants)
        for reference, kept in references.items():
            batch.row_set(KeyRows).keep(batch, self._scope, reference, kept)
        batch.row_set(TextRows).rows.update({text_id: text for text_id, (_, text) in new.items()})
        return Accepted(ids, [text for _, text in new.values()])

    @property
    def _scope(self) -> str:
        return f"sms:{self.client}"

    def _known(self, batch: Batch, draft: Draft, references: dict[str, KeptResult]) -> int | Refusal | None:
        """Return the id that a reference led to, or why it cannot be used again."""
        if draft.reference is None:
            return None
        kept = references.get(draft.reference) or batch.row_set(KeyRows).find(self._scope, draft.reference)
        if kept is None:
            return None
        if kept.digest != draft.digest(batch.policy(MessagingPolicy).digests):
            return Refusal(0, "sms.reference", f"reference {draft.reference!r} was used before for another text")
        return int(kept.result)

    def _make(self, batch: Batch, draft: Draft, charging: ChargingPolicy, sales: list[BundleSale]) -> Text | Refusal:
        payer = batch.row_set(IdentifierRows).owner(MSISDN, draft.source, batch.now)
        if payer is None:
            return make(batch, draft)
        wallet = batch.row_set(WalletRows).get(payer)
        family = batch.row_set(IdentifierRows).family_of(payer)
        if wallet is None or family is None:
            return self._hold(batch, draft, charging, sales, payer)
        other = batch.row_set(WalletRows).get(family.payer_id)
        loan = lend(wallet, other, family, batch.now, charging.tariff.zone)
        outcome = self._hold(batch, draft, charging, sales, payer)
        if loan is not None:
            charging.books.post(batch, loan.settle(batch.now))
        return outcome

    def _hold(
        self, batch: Batch, draft: Draft, charging: ChargingPolicy, sales: list[BundleSale], payer: int
    ) -> Text | Refusal:
        """Hold the price of a text that a customer sends."""
        wallet = batch.row_set(WalletRows).get(payer)
        tariff = charging.tariff
        called = destination(draft.destination, tariff.country)
        if wallet is not None and wallet.status != ACTIVE and called is not Destination.EMERGENCY:
            return Refusal(
                0, "sms.line", f"the sender's line is {wallet.status}: it sends nothing until it is active again"
            )
        profile = batch.row_set(ProfileRows).get(payer)
        plan = plan_of(profile, tariff, batch.now)
        held: Hold | None = None
        if called is not Destination.ORDINARY:
            held = free_hold(plan, called)
        elif wallet is not None and plan is not None and profile is not None:
            own = batch.row_set(IdentifierRows).owner(MSISDN, draft.destination, batch.now) is not None
            key = key_of(plan, called_number(draft.destination, tariff.country), tariff, batch.now, own=own)
            if wallet.spending.barred and rate_to(plan, key).costs:
                return Refusal(0, "sms.barred", "the sender's line is barred until somebody has looked at its use")
            sold = sell_needed_bundle(batch, wallet, plan, rate_to(plan, key), profile, charging)
            if sold is not None:
                sales.append(sold)
            month = tariff.months.number(batch.now)
            held = hold(wallet, plan, key, draft.parts, batch.now, month)
            if held is None and wallet.spendable(month) < wallet.available:
                use = Use("sms", 0, limited=BILL)
                batch.policy(LineRules).after_use(batch, wallet, profile, use)
                return Refusal(0, "sms.limit", "the sender's bill limit leaves no room for this text")
        if held is None:
            return Refusal(0, "sms.credit", "the sender's wallet cannot pay for this text")
        return make(batch, draft, payer, held)

    def _give_back(self, batch: Batch, texts: list[Text]) -> None:
        for text in texts:
            wallet = batch.row_set(WalletRows).get(text.payer) if text.payer is not None else None
            if wallet is not None:
                give_back(wallet, text)


def make(batch: Batch, draft: Draft, payer: int | None = None, held: Hold | None = None) -> Text:
    """Make a queued text; the caller puts it among the batch's texts."""
    held = held or Hold()
    text_id = batch.take_id()
    return Text(
        id=text_id,
        node=batch.node.id,
        source=draft.source,
        destination=draft.destination,
        body=draft.body,
        link="",
        state=TextState.QUEUED,
        payer=payer,
        held=held.money,
        covered=held.covered,
        bundle_ends_at=0,
        reference_number=text_id & 0xFFFF,
        registered_delivery=draft.registered_delivery,
        always=int(draft.always),
        created_at=batch.now,
        updated_at=batch.now,
        valid_until=draft.valid_until,
        parts=[TextPart() for _ in range(draft.parts)],
        promised=held.promised,
        version=held.version,
        rate_key=held.rate_key,
        fresh=True,
        changed=True,
    )
