"""On what terms a line has its balance: whether its bundle is renewed and on which day, and how far it may go below zero."""

from typing import Final

import msgspec

from gateway.balance.allowances import BUNDLE
from gateway.balance.changes import Change, SubscriberUnknown
from gateway.balance.wallets import Renewal
from gateway.ledger.money import format_amount
from gateway.store.batch import Batch
from gateway.subscribers.history import CREDIT_LIMIT, RENEWAL, record

OFF: Final = "off"


class TermsSet(msgspec.Struct, frozen=True):
    """Whose terms were set, and what they are: times in microseconds, 0 for none; money in micro-units."""

    subscriber_id: int
    renewal: Renewal
    credit_limit: int
    currency: str


class SetRenewal(Change):
    """The customer's consent to renewals given or withdrawn, or another billing day; `actor` wrote it down.

    None and 0 leave what there is.
    """

    consent: bool | None
    billing_day: int
    actor: str
    reason: str

    def decide(self, batch: Batch) -> TermsSet | SubscriberUnknown:
        """Set it; the period that was paid for stays as it is, the next one ends on the new day."""
        wallet = self._wallet(batch)
        if wallet is None:
            return SubscriberUnknown("no subscriber has this number")
        before = wallet.renewal or Renewal()
        agreed = bool(before.consent_at) if self.consent is None else self.consent
        consent_at = (before.consent_at or batch.now) if agreed else 0
        running = [each.ends_at for each in wallet.allowances if each.kind == BUNDLE and each.ends_at > batch.now]
        due = max(running, default=0) if consent_at else 0
        day = self.billing_day or before.billing_day
        wallet.renewal = msgspec.structs.replace(before, consent_at=consent_at, billing_day=day, next_at=due)
        wallet.changed = True
        values = _renewal_text(before), _renewal_text(wallet.renewal)
        record(batch, wallet.subscriber_id, RENEWAL, values, self.actor, self.reason)
        return TermsSet(wallet.subscriber_id, wallet.renewal, wallet.credit_limit, wallet.currency)


class SetCreditLimit(Change):
    """How far a line that pays at the end of the month may go below zero, in micro-units; 0 for one that pays before."""

    limit: int
    actor: str
    reason: str

    def decide(self, batch: Batch) -> TermsSet | SubscriberUnknown:
        """Set it; what is owed already stays owed."""
        wallet = self._wallet(batch)
        if wallet is None:
            return SubscriberUnknown("no subscriber has this number")
        before, wallet.credit_limit, wallet.changed = wallet.credit_limit, self.limit, True
        values = format_amount(before, wallet.currency), format_amount(self.limit, wallet.currency)
        record(batch, wallet.subscriber_id, CREDIT_LIMIT, values, self.actor, self.reason)
        return TermsSet(wallet.subscriber_id, wallet.renewal or Renewal(), wallet.credit_limit, wallet.currency)


def _renewal_text(renewal: Renewal) -> str:
    day = f" on day {renewal.billing_day}" if renewal.billing_day else ""
    return f"{'on' if renewal.consent_at else OFF}{day}"
