"""Writing a notice with the unit that found it due: a text to the line's number, and a row that says which notice it is."""

from collections.abc import Callable, Mapping

import msgspec
from sqlalchemy import select

from gateway.balance.preferences import preferences_of
from gateway.messaging.submit import Draft, make
from gateway.messaging.texts import Text, TextRows
from gateway.notices.kinds import NoticeKind, is_statutory
from gateway.notices.quiet_hours import QuietHours
from gateway.notices.wording import Values, fill_in, version_of
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.subscribers.identifier_history import MSISDN


class NoticeSender(msgspec.Struct, frozen=True):
    """What notices are written with: who they come from, the words of each kind, how long they may take (microseconds).

    `words` are by language, that of customers who said none is `language`. `segments` counts the parts of a text. `linked`:
    there is a link that they can go out by; without one none is written.
    """

    source: str
    language: str
    words: Mapping[str, Mapping[NoticeKind, str]]
    common: Values
    quiet: QuietHours
    validity: int
    segments: Callable[[str], int]
    linked: bool = True

    def send(self, batch: Batch, subscriber_id: int, kind: NoticeKind, period: str, values: Values) -> bool:
        """Write a notice; False where it cannot be sent now, and has to be looked for again."""
        language = self.language_of(batch, subscriber_id)
        text = self.write(batch, subscriber_id, kind, values, language)
        if text is None:
            return False
        row = (text.id, subscriber_id, str(kind), period, batch.now, language, version_of(self.words[language][kind]))
        batch.add(tables.notices, row)
        return True

    def may_send(self, kind: NoticeKind, now: int) -> bool:
        """Return whether a kind can go out now: a courtesy waits for the end of the operator's quiet hours."""
        return self.linked and (is_statutory(kind) or not self.quiet.holds(now))

    def write(self, batch: Batch, subscriber_id: int, kind: NoticeKind, values: Values, language: str) -> Text | None:
        """Write the text of a notice, without a row that says which it is; None where it cannot be sent now.

        A courtesy that is still under way when the quiet hours begin expires.
        """
        if not self.may_send(kind, batch.now):
            return None
        number, statutory = number_of(batch, subscriber_id), is_statutory(kind)
        if number is None or (not statutory and self.quiet.holds(batch.now, number)):
            return None
        body = fill_in(self.words[language][kind], {**self.common, **values}, language)
        until = batch.now + self.validity
        if not statutory:
            until = min(until, self.quiet.next_start(batch.now, number) or until)
        text = make(batch, Draft(self.source, number, body, self.segments(body), until, always=statutory))
        batch.row_set(TextRows).rows[text.id] = text
        return text

    def language_of(self, batch: Batch, subscriber_id: int) -> str:
        """Return the language that a customer is written to in: the operator's where no other was asked for, or is offered."""
        preferred = preferences_of(batch.connection, subscriber_id).language
        return preferred if preferred in self.words else self.language


def number_of(batch: Batch, subscriber_id: int) -> str | None:
    """Return the phone number of a line as it is now, None where it has none."""
    lines = tables.lines
    current = select(lines.c.value).where(
        lines.c.subscriber_id == subscriber_id, lines.c.kind == MSISDN, lines.c.valid_to.is_(None)
    )
    number: str | None = batch.connection.execute(current.limit(1)).scalar()
    return number
