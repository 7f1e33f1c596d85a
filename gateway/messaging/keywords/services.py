"""What a keyword does: ask before money moves, move it once, choose causes, tell balances, stop.

Everything happens in the unit that took the text: the state of a question and the money move together, and the answer is a
text of the same transaction.
"""

from typing import Any, assert_never

from sqlalchemy import Row, delete, func, select

from gateway.charity.choices import Choice, Share
from gateway.charity.policies import WHOLE
from gateway.ledger.accounts import gifts_account
from gateway.ledger.entries import Entry
from gateway.ledger.wallets import Wallet, WalletShelf
from gateway.messaging.keywords.amounts import Money
from gateway.messaging.keywords.answers import bounds, cause_list, render
from gateway.messaging.keywords.catalogue import Answer, KeywordBook
from gateway.messaging.keywords.parser import (
    Balance,
    Choose,
    Give,
    Help,
    No,
    Reason,
    Start,
    Stop,
    Tenth,
    Unknown,
    Wish,
    Yes,
    read,
)
from gateway.messaging.mt_status import OptOutShelf
from gateway.messaging.policy import Office
from gateway.messaging.senders import Sender
from gateway.messaging.submit import Draft, make
from gateway.messaging.texts import Text, TextShelf
from gateway.messaging.unanswered import Silence
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.subscribers.create import ACTIVE
from gateway.subscribers.identifier_history import MSISDN, LineShelf
from gateway.subscribers.profiles import ProfileShelf

GIVE = "give"
MINUTE = 60_000_000


class Services:
    """The keyword services of one short code, for one text of one customer.

    After `serve`, `silent` says why there is no answer, "" if there is one or none was wanted, and `limited` whether the
    customer has just had all answers of an hour.
    """

    def __init__(
        self, office: Office, batch: Batch, customer: str, book: KeywordBook, sender: Sender, mute: str = ""
    ) -> None:
        """Take the customer's number, what is remembered of it, and the book of the short code that the text came to.

        `mute` is why nothing is to be answered; then nothing is done either, but for STOP.
        """
        self._office, self._batch, self._customer, self._book = office, batch, customer, book
        self._sender, self._mute = sender, mute
        self._owner = batch.shelf(LineShelf).owner(MSISDN, customer, batch.now)
        self._out = batch.shelf(OptOutShelf).out(customer, book.short_code)
        self.silent, self.limited = "", False

    def serve(self, body: str) -> list[Text]:
        """Do what a text asks for and give the texts to answer with.

        While the customer is out, what he asks for himself is answered, what asks for nothing is not; neither opts him in.
        """
        wish = read(body, self._book)
        if isinstance(wish, Stop):
            return self._stop(wish)
        if self._mute:
            return self._say_nothing(self._mute)
        if isinstance(wish, Help):
            return self._answer(wish, Answer.HELP)
        if isinstance(wish, Start):
            return self._start(wish)
        wallet = self._batch.shelf(WalletShelf).get(self._owner) if self._owner is not None else None
        if wallet is None:
            return self._say_nothing(Silence.OPTED_OUT) if self._out else self._answer(wish, Answer.STRANGER)
        return self._serve(wish, wallet)

    def _serve(self, wish: Give | Yes | No | Choose | Balance | Tenth | Unknown, wallet: Wallet) -> list[Text]:
        match wish:
            case Give():
                return self._ask(wish, wallet)
            case Yes():
                return self._give(wish, wallet)
            case No():
                return self._drop(wish, wallet)
            case Choose():
                return self._choose(wish, wallet)
            case Balance():
                return self._answer(wish, Answer.BALANCE, balance=self._money(wallet.available, wallet))
            case Tenth():
                return self._answer(wish, Answer.TENTH, given=self._money(self._given(wallet), wallet))
            case Unknown():
                return self._explain(wish, wallet)
        assert_never(wish)

    def _ask(self, wish: Give, wallet: Wallet) -> list[Text]:
        """Ask before money moves. The same GIVE asks the same question again, another one replaces it: one alone is open."""
        cause = wish.cause or self._chosen(wallet)
        if wallet.status != ACTIVE:
            return self._refuse(wish, Answer.SUSPENDED)
        if cause is None:
            return self._answer(wish, Answer.WHICH_CAUSE, causes=self._causes())
        if wish.currency and wish.currency != wallet.currency:
            return self._answer(wish, Answer.OTHER_CURRENCY, currency=wallet.currency)
        if cause not in self._office.causes:
            return self._answer(wish, Answer.CLOSED, cause=self._name(cause), causes=self._causes())
        values: dict[str, str | Money] = {"amount": self._money(wish.amount, wallet), "cause": self._name(cause)}
        if wish.amount > wallet.available:
            balance = self._money(max(wallet.available, 0), wallet)
            return self._answer(wish, Answer.TOO_POOR, balance=balance, **values)
        if not self._may_ask():
            return self._withhold()
        self._open_question(cause, wish.amount, wallet)
        return self._answer(wish, Answer.ASK, minutes=str(self._office.question // MINUTE), **values)

    def _open_question(self, cause: str, amount: int, wallet: Wallet) -> None:
        """Write down what is asked; a question that is open already keeps its number, by which its gift is taken once."""
        batch, asked = self._batch, self._question(wallet)
        same = asked is not None and (asked.cause, asked.amount, asked.currency) == (cause, amount, wallet.currency)
        self._forget_question()
        batch.connection.execute(
            tables.questions.insert().values(
                msisdn=self._customer,
                short_code=self._book.short_code,
                id=asked.id if asked is not None and same else batch.take_id(),
                kind=GIVE,
                cause=cause,
                amount=amount,
                currency=wallet.currency,
                asked_at=batch.now,
                expires_at=batch.now + self._office.question,
                subscriber_id=wallet.subscriber_id,
            )
        )

    def _question(self, wallet: Wallet) -> Row[Any] | None:
        """Give the question that is open to this customer; one to an earlier owner of the number is none."""
        rows = tables.questions
        asked = self._batch.connection.execute(
            select(rows).where(
                rows.c.msisdn == self._customer,
                rows.c.short_code == self._book.short_code,
                rows.c.expires_at > self._batch.now,
            )
        ).one_or_none()
        theirs = asked is not None and asked.subscriber_id in (None, wallet.subscriber_id)
        return asked if theirs else None

    def _give(self, wish: Yes, wallet: Wallet) -> list[Text]:
        """Take the gift that was asked about: once, whole. A YES consumes the question, also where the gift is refused."""
        asked = self._question(wallet)
        if asked is None:
            return self._say_nothing(Silence.OPTED_OUT) if self._out else self._answer(wish, Answer.NOTHING_ASKED)
        self._forget_question()
        amount, cause = self._money(asked.amount, wallet), self._name(asked.cause)
        if wallet.status != ACTIVE:
            return self._refuse(wish, Answer.SUSPENDED)
        if asked.currency != wallet.currency:
            return self._answer(wish, Answer.OTHER_CURRENCY, currency=wallet.currency)
        if asked.cause not in self._office.causes:
            return self._answer(wish, Answer.CLOSED, cause=cause, causes=self._causes())
        if not self._book.minimum <= asked.amount <= self._book.maximum:
            return self._answer(wish, Answer.OUT_OF_BOUNDS, **bounds(self._book, wallet.currency))
        if asked.amount > wallet.available:
            balance = self._money(max(wallet.available, 0), wallet)
            return self._answer(wish, Answer.TOO_POOR, balance=balance, amount=amount, cause=cause)
        books = self._office.desk.books
        gift = Entry(
            kind="gift",
            debit=wallet.subscriber_id,
            credit=books.account(gifts_account(asked.cause)),
            amount=asked.amount,
            currency=wallet.currency,
            event_at=self._batch.now,
            reference=f"gift:{asked.id}",
        )
        books.move(self._batch, gift)
        self._opt_in()
        balance = self._money(wallet.available, wallet)
        return self._answer(wish, Answer.GIVEN, balance=balance, amount=amount, cause=cause)

    def _drop(self, wish: No, wallet: Wallet) -> list[Text]:
        """Forget the question; a NO to none is a text that we don't understand."""
        asked = self._question(wallet)
        if asked is None:
            return self._explain(Unknown(wish.language, Reason.NO_SERVICE), wallet)
        self._forget_question()
        amount = Money(asked.amount, asked.currency)
        return self._answer(wish, Answer.DROPPED, amount=amount, cause=self._name(asked.cause))

    def _refuse(self, wish: Wish, answer: Answer) -> list[Text]:
        """Refuse what a line that is not active asks for; what it was asked is forgotten."""
        self._forget_question()
        return self._answer(wish, answer)

    def _choose(self, wish: Choose, wallet: Wallet) -> list[Text]:
        if wallet.status != ACTIVE:
            return self._refuse(wish, Answer.SUSPENDED)
        if wish.cause is None:
            return self._answer(wish, Answer.CAUSES, causes=self._causes())
        if wish.cause not in self._office.causes:
            return self._answer(wish, Answer.CLOSED, cause=self._name(wish.cause), causes=self._causes())
        batch = self._batch
        profile = batch.shelf(ProfileShelf).get(wallet.subscriber_id)
        before = profile.choices[-1].valid_from if profile is not None and profile.choices else 0
        valid_from = max(batch.now, before + 1)
        batch.add(tables.choices, (batch.take_id(), wallet.subscriber_id, wish.cause, WHOLE, valid_from))
        if profile is not None:
            profile.choices.append(Choice(valid_from, (Share(wish.cause, WHOLE),)))
        return self._answer(wish, Answer.CHOSEN, cause=self._name(wish.cause))

    def _stop(self, wish: Stop) -> list[Text]:
        """Open no question, send nothing further but this one confirmation."""
        self._forget_question()
        rows, batch = tables.opt_outs, self._batch
        out = batch.shelf(OptOutShelf)
        if self._out:
            return []
        row = {"msisdn": self._customer, "short_code": self._book.short_code, "since": batch.now}
        batch.connection.execute(rows.insert().values(row))
        out.rows.setdefault(self._customer, set()).add(self._book.short_code)
        return self._say_nothing(self._mute) if self._mute else self._answer(wish, Answer.STOPPED)

    def _start(self, wish: Start) -> list[Text]:
        """Send again what STOP ended."""
        self._opt_in()
        return self._answer(wish, Answer.STARTED)

    def _opt_in(self) -> None:
        """Opt in again: by START, or YES to a question of ours. Nothing else does it."""
        if not self._out:
            return
        rows = tables.opt_outs
        same = (rows.c.msisdn == self._customer, rows.c.short_code == self._book.short_code)
        self._batch.connection.execute(delete(rows).where(*same))
        self._batch.shelf(OptOutShelf).rows[self._customer].discard(self._book.short_code)
        self._out = False

    def _explain(self, wish: Unknown, wallet: Wallet) -> list[Text]:
        limits = bounds(self._book, wallet.currency)
        match wish.reason:
            case Reason.WHICH_CAUSE:
                return self._answer(wish, Answer.WHICH_CAUSE, causes=self._causes())
            case Reason.HOW_MUCH:
                return self._answer(wish, Answer.HOW_MUCH, **limits)
            case Reason.OUT_OF_BOUNDS:
                return self._answer(wish, Answer.OUT_OF_BOUNDS, **limits)
            case Reason.NO_SERVICE:
                return self._say_nothing(Silence.OPTED_OUT) if self._out else self._answer(wish, Answer.UNKNOWN)
        assert_never(wish.reason)

    def _answer(self, wish: Wish, answer: Answer, **values: str | Money) -> list[Text]:
        """Make the answer, if the customer may get one; one who is out gets it because he asked."""
        if not self._may_answer(answer):
            return self._withhold()
        body = render(self._book, wish.language, answer, operator=self._office.operator, **values)
        batch = self._batch
        until = batch.now + self._office.validity
        always = self._out or answer in (Answer.STOPPED, Answer.HELP)
        draft = Draft(self._book.short_code, self._customer, body, self._office.segments(body), until, always=always)
        text = make(batch, draft)
        batch.shelf(TextShelf).rows[text.id] = text
        self._sender.answered.append(batch.now)
        return [text]

    def _may_ask(self) -> bool:
        """Whether a question and the answer to its YES both have a place among the answers of this hour."""
        most = self._office.answers_per_hour
        return self._sender.answers_left(most, self._batch.now) >= min(2, max(most, 1))

    def _may_answer(self, answer: Answer) -> bool:
        """Whether there is a place for an answer; the last one is kept for the YES to a question that is open."""
        left = self._sender.answers_left(self._office.answers_per_hour, self._batch.now)
        if answer is Answer.ASK or left != 1:
            return left > 0
        rows = tables.questions
        still_open = select(rows.c.id).where(rows.c.msisdn == self._customer, rows.c.expires_at > self._batch.now)
        return self._batch.connection.execute(still_open).first() is None

    def _withhold(self) -> list[Text]:
        """Answer no more within this hour, and tell the company once."""
        if self._sender.limit(self._batch.now):
            self.limited = True
            data = {"to": self._book.short_code, "answers_per_hour": self._office.answers_per_hour}
            self._office.tell(self._batch, "sms/answers_limited", self._customer, data)
        return self._say_nothing(Silence.LIMIT)

    def _say_nothing(self, reason: str) -> list[Text]:
        self.silent = reason
        return []

    def _given(self, wallet: Wallet) -> int:
        """Sum the tenth that this customer's usage accrued so far."""
        charge, accrual = tables.transfers.alias("charge"), tables.transfers.alias("accrual")
        total = (
            select(func.sum(accrual.c.amount))
            .join_from(accrual, charge, accrual.c.usage_id == charge.c.usage_id)
            .where(accrual.c.kind == "accrual", charge.c.kind == "charge", charge.c.debit == wallet.subscriber_id)
        )
        return int(self._batch.connection.execute(total).scalar() or 0)

    def _chosen(self, wallet: Wallet) -> str | None:
        profile = self._batch.shelf(ProfileShelf).get(wallet.subscriber_id)
        shares = profile.choices[-1].shares if profile is not None and profile.choices else ()
        return shares[0].cause if len(shares) == 1 else None

    def _forget_question(self) -> None:
        rows = tables.questions
        same = (rows.c.msisdn == self._customer, rows.c.short_code == self._book.short_code)
        self._batch.connection.execute(delete(rows).where(*same))

    def _causes(self) -> str:
        return cause_list(self._book, self._office.causes.keys())

    def _name(self, cause: str) -> str:
        return self._office.causes.get(cause, cause)

    def _money(self, micro: int, wallet: Wallet) -> Money:
        return Money(micro, wallet.currency)
