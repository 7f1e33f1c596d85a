"""A text on its way out: its parts, what became of each, and the state that follows for the whole.

A part is `waiting`, then `sent` (handed to the link, written down before it goes out), then `accepted` by the SMSC with a
message id, or `doubtful` where the link died before the answer. `delivered`, `failed`, `expired` and `cancelled` are final.
"""

from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from gateway.balance.allowances import Promise
from gateway.store.batch import RowSet
from gateway.store.known_values import member_of
from gateway.store.statements import Insert, SelectAmong, Update
from gateway.store.tables import texts


class TextState(StrEnum):
    """A text's state, as the interfaces tell it."""

    QUEUED = "queued"
    SUBMITTED = "submitted"
    DOUBTFUL = "doubtful"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Step(StrEnum):
    """A part's state."""

    WAITING = "waiting"
    SENT = "sent"
    ACCEPTED = "accepted"
    DOUBTFUL = "doubtful"
    DELIVERED = "delivered"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


STEPS: dict[Step, frozenset[Step]] = {
    Step.WAITING: frozenset({Step.SENT, Step.ACCEPTED, Step.EXPIRED, Step.CANCELLED, Step.FAILED}),
    Step.SENT: frozenset({Step.ACCEPTED, Step.DOUBTFUL, Step.WAITING, Step.DELIVERED, Step.FAILED, Step.EXPIRED}),
    Step.ACCEPTED: frozenset({Step.DELIVERED, Step.FAILED, Step.EXPIRED}),
    Step.DOUBTFUL: frozenset({Step.WAITING, Step.ACCEPTED, Step.DELIVERED, Step.FAILED, Step.EXPIRED}),
    Step.DELIVERED: frozenset(),
    Step.FAILED: frozenset(),
    Step.EXPIRED: frozenset(),
    Step.CANCELLED: frozenset(),
}
"""Where each part may go from where it stands; everything else is ignored as late or doubled news. A part that waits to be
sent again may be accepted after all: the answer to its first sending came late."""

FINAL = frozenset(step for step, following in STEPS.items() if not following)
_WHOLE: tuple[tuple[Step, TextState], ...] = (
    (Step.DOUBTFUL, TextState.DOUBTFUL),
    (Step.WAITING, TextState.QUEUED),
    (Step.SENT, TextState.SUBMITTED),
    (Step.ACCEPTED, TextState.SUBMITTED),
    (Step.FAILED, TextState.FAILED),
    (Step.EXPIRED, TextState.EXPIRED),
    (Step.CANCELLED, TextState.CANCELLED),
    (Step.DELIVERED, TextState.DELIVERED),
)
"""What the whole is as soon as one of its parts is so, the first that applies."""


NEVER_AGAIN = -1
"""`Part.asked` where the SMSC would not tell."""


REFERENCE_STRIDE = 40_503
"""How far apart the references of a text's parts are: 2**16 by the golden ratio, so that they keep away from those of the next
texts, whose own are one apart."""


class TextPart(msgspec.Struct, omit_defaults=True):
    """One segment: its step, the SMSC's message id, the last status or receipt error, and whether it may arrive twice.

    `stated` is the message id as the SMSC wrote it, where it is kept otherwise. `asked` counts the questions for it
    (query_sm) that settled nothing, `attempts` its sendings that the SMSC has not answered: the one that is out and those
    that never were. `refused` counts the answers that wanted it later, `came_by` is the link of the question that it answers.
    """

    step: Step = Step.WAITING
    message_id: str = ""
    error: str = ""
    maybe_double: bool = False
    stated: str = ""
    asked: int = 0
    attempts: int = 0
    refused: int = 0
    came_by: str = ""

    def go(self, step: Step, error: str = "") -> bool:
        """Move to a step if the table allows it, and tell whether it did."""
        if step not in STEPS[self.step]:
            return False
        self.step, self.error = step, error
        return True


class Text(msgspec.Struct):
    """A text out; money in micro-units, times in microseconds.

    `payer` is the subscriber who pays, None for the company; `held` of the payer's money and `covered` parts of its allowances
    are promised until the text is final, `promised` says by which; a text of before 2026-12 names the only one by its end,
    `bundle_ends_at` (else 0). `rate_key` names the rate (rating.rate_keys). `always` is 1 for a text that goes out although
    the receiver opted out: the answers to STOP and HELP.
    """

    id: int
    node: int
    source: str
    destination: str
    body: str | None
    link: str
    state: TextState
    payer: int | None
    held: int
    covered: int
    bundle_ends_at: int
    reference_number: int
    registered_delivery: int
    always: int
    created_at: int
    updated_at: int
    valid_until: int
    parts: list[TextPart]
    version: int | None = None
    """The version of the payer's plan that it was priced by."""
    rate_key: str | None = None
    """Which of that plan's rates (rating.rate_keys); None in a row of before versions were kept."""
    promised: tuple[Promise, ...] = ()
    fresh: bool = False
    changed: bool = False

    def part_reference(self, number: int) -> int:
        """Return the user_message_reference of a part (SMPP 3.4 §5.3.2.17); texts that follow each other have other ones."""
        return (self.reference_number + number * REFERENCE_STRIDE) & 0xFFFF

    def settle(self, now: int) -> bool:
        """Work out the state from the parts; tell whether the text has just become final. A final text forgets its body."""
        self.updated_at, self.changed = now, True
        if any(part.step not in FINAL for part in self.parts):
            steps = {part.step for part in self.parts}
            self.state = next(state for step, state in _WHOLE if step in steps)
            return False
        was_final = self.body is None
        steps = {part.step for part in self.parts}
        self.state = next(state for step, state in _WHOLE if step in steps)
        self.body = None
        return not was_final


_LOAD = SelectAmong(select(texts), texts.c.id, int)
_INSERT = Insert(texts)
_SAVE = Update(texts, ["body", "link", "state", "held", "covered", "updated_at", "parts", "final"], ["id"])
_decode = msgspec.msgpack.Decoder(list[TextPart]).decode
_encode = msgspec.msgpack.Encoder().encode
_decode_promised = msgspec.msgpack.Decoder(tuple[Promise, ...]).decode


class TextRows(RowSet[int, Text]):
    """The texts that a batch touches, by id."""

    def load(self, connection: Connection, keys: set[int]) -> None:
        """Read these texts."""
        for row in _LOAD.run(connection, sorted(keys)):
            self.rows[row[0]] = from_row(row)

    def save(self, connection: Connection) -> None:
        """Write new and changed texts."""
        new: list[tuple[Any, ...]] = []
        old: list[tuple[Any, ...]] = []
        for text in self.rows.values():
            if not text.changed:
                continue
            parts, final = _encode(text.parts), int(text.body is None)
            if text.fresh:
                promised = _encode(text.promised) if text.promised else None
                priced = (text.version, text.rate_key)
                new.append((*msgspec.structs.astuple(text)[:17], parts, final, *priced, promised))
            else:
                old.append(
                    (text.body, text.link, text.state, text.held, text.covered, text.updated_at, parts, final, text.id)
                )
        _INSERT.run(connection, new)
        _SAVE.run(connection, old)


def from_row(row: tuple[Any, ...]) -> Text:
    """Make a text of its row."""
    *fields, parts, _final, version, rate_key, promised = row
    fields[6] = member_of(TextState, fields[6], "texts", fields[0])
    known = _decode_promised(promised) if promised else ()
    return Text(*fields, _decode(parts), version, rate_key, known)  # type: ignore[call-arg]  # a row
