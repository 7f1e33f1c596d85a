"""Units about texts that exist: what they load, and how a text that comes to its end is paid for and published."""

from collections.abc import Iterable
from typing import Any, ClassVar

from gateway.balance.line_rules import LineRules, Use
from gateway.balance.profiles import ProfileRows
from gateway.balance.wallets import WalletRows
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.text_charges import SMS, settle
from gateway.messaging.texts import Text, TextRows
from gateway.store.batch import Batch, RowSet, Unit


class OnTexts(Unit):
    """A unit about texts: it needs them, and the wallets of those who pay."""

    touches: ClassVar[tuple[type, ...]] = (TextRows, WalletRows, ProfileRows)

    def text_ids(self, batch: Batch) -> Iterable[int]:
        """Name the texts."""
        raise NotImplementedError

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the texts, then their payers."""
        if isinstance(row_set, TextRows):
            return self.text_ids(batch)
        if isinstance(row_set, WalletRows):
            texts = (batch.row_set(TextRows).get(text_id) for text_id in self.text_ids(batch))
            return [text.payer for text in texts if text is not None and text.payer is not None]
        return ()

    def finish(self, batch: Batch, text: Text) -> None:
        """Work out the state; a text that has just become final is paid for or given back, and told of."""
        if text.settle(batch.now):
            policy = batch.policy(MessagingPolicy)
            charged = settle(batch, text, policy.charging)
            if charged and text.payer is not None:
                look_at_line(batch, text.payer, text, charged)
            policy.publish_final(batch, text)


def look_at_line(batch: Batch, payer: int, text: Text, charged: int) -> None:
    """Have the line looked at that paid for a text."""
    wallet, profile = batch.row_set(WalletRows).get(payer), batch.row_set(ProfileRows).get(payer)
    if wallet is not None and profile is not None:
        use = Use(SMS, charged, number=text.destination.removeprefix("+"), session=text.id)
        batch.policy(LineRules).after_use(batch, wallet, profile, use)
