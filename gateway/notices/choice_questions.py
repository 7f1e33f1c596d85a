"""Asking the customers of a closed cause for another choice: a courtesy each, once, some of them at a time.

The texts name no cause, and no row says who was asked (charity.closed_causes): both would tell whose cause it was. A unit
writes the texts and moves the mark, so that a kill in between asks nobody twice and forgets nobody.
"""

from datetime import date
from typing import ClassVar

import msgspec

from gateway.charity.closed_causes import move_mark
from gateway.messaging.texts import Text
from gateway.notices.kinds import NoticeKind
from gateway.notices.sending import NoticeSender, number_of
from gateway.notices.wording import Day
from gateway.store.batch import Batch, Unit


class Asked(msgspec.Struct, frozen=True):
    """The texts that were written; `waits`: nobody is asked now, as courtesies cannot go out."""

    texts: list[Text]
    waits: bool = False


class AskChoosers(Unit):
    """Ask these customers of a shard, who are all that chose the cause between `after` and `last` (None: the end).

    `date` (2026-12-30) is until when they may choose. Where the mark is not at `after` any more nothing is done.
    """

    alone: ClassVar[bool] = True

    cause: str
    shard: int
    after: int
    last: int | None
    subscribers: list[int]
    date: str

    def decide(self, batch: Batch) -> Asked:
        """Ask them, but for those who have no number now."""
        sender = batch.policy(NoticeSender)
        if not sender.may_send(NoticeKind.CHOICE_ASKED, batch.now) or self._is_night(batch, sender):
            return Asked([], waits=True)
        if not move_mark(batch, self.cause, self.shard, self.after, self.last, asks=bool(self.subscribers)):
            return Asked([])
        values = {"date": Day(date.fromisoformat(self.date))}
        texts = [
            sender.write(batch, each, NoticeKind.CHOICE_ASKED, values, sender.language_of(batch, each))
            for each in self.subscribers
        ]
        return Asked([text for text in texts if text is not None])

    def _is_night(self, batch: Batch, sender: NoticeSender) -> bool:
        """Whether one of them is where the quiet hours hold: the mark goes over all of them at once."""
        numbers = (number_of(batch, each) for each in self.subscribers)
        return any(number is not None and sender.quiet.holds(batch.now, number) for number in numbers)
