"""What a keyword does: ask before money moves, move it once, choose causes, tell balances, stop.

Everything happens in the unit that took the text: the state of a question and the money move together, and the answer is a
text of the same transaction.
"""

from typing import assert_never

from sqlalchemy import delete, func, select

from gateway.charity.choices import Choice, Share
from gateway.charity.policies import WHOLE
from gateway.ledger.accounts import gifts_account
from gateway.ledger.entries import Entry
from gateway.ledger.wallets import Wallet, WalletShelf
from gateway.messaging.accepting import Draft, make
from gateway.messaging.keywords.amounts import Money
from gateway.messaging.keywords.answers import bounds, cause_list, render
from gateway.messaging.keywords.book import Answer, KeywordBook
from gateway.messaging.keywords.reading import (
    Balance,
    Choose,
    Give,
    Help,
    Reason,
    Stop,
    Tenth,
    Unknown,
    Wish,
    Yes,
    read,
)
from gateway.messaging.office import Office
from gateway.messaging.sending import OptOutShelf
from gateway.messaging.texts import Text, TextShelf
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.subscribers.lines import MSISDN, LineShelf
from gateway.subscribers.profiles import ProfileShelf

GIVE = "give"
MINUTE = 60_000_000


class Services:
    """The keyword services of one short code, for one text of one customer."""

    def __init__(self, office: Office, batch: Batch, customer: str, book: KeywordBook) -> None:
        """Take the customer's number and the book of the short code that the text came to."""
        self._office, self._batch, self._customer, self._book = office, batch, customer, book
        self._owner = batch.shelf(LineShelf).owner(MSISDN, customer, batch.now)

    def serve(self, body: str) -> list[Text]:
        """Do what a text asks for and give the texts to answer with."""
        wish = read(body, self._book)
        if isinstance(wish, Stop):
            return self._stop(wish)
        if isinstance(wish, Help):
            return self._answer(wish, Answer.HELP)
        self._opt_in()
        wallet = self._batch.shelf(WalletShelf).get(self._owner) if self._owner is not None else None
        if wallet is None:
            return self._answer(wish, Answer.STRANGER)
        return self._serve(wish, wallet)

    def _serve(self, wish: Give | Yes | Choose | Balance | Tenth | Unknown, wallet: Wallet) -> list[Text]:
        match wish:
            case Give():
                return self._ask(wish, wallet)
            case Yes():
                return self._give(wish, wallet)
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
        """Ask before money moves. A second GIVE replaces the question: one alone is open at a time."""
        cause = wish.cause or self._chosen(wallet)
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
        self._forget_question()
        batch = self._batch
        row = (
            self._customer,
            self._book.short_code,
            batch.take_id(),
            GIVE,
            cause,
            wish.amount,
            wallet.currency,
            batch.now,
            batch.now + self._office.question,
        )
        names = [column.name for column in tables.questions.columns]
        batch.connection.execute(tables.questions.insert().values(dict(zip(names, row, strict=True))))
        return self._answer(wish, Answer.ASK, minutes=str(self._office.question // MINUTE), **values)

    def _give(self, wish: Yes, wallet: Wallet) -> list[Text]:
        """Take the gift that was asked about: once, whole, and the question with it."""
        rows, batch = tables.questions, self._batch
        asked = batch.connection.execute(
            select(rows).where(
                rows.c.msisdn == self._customer,
                rows.c.short_code == self._book.short_code,
                rows.c.expires_at > batch.now,
            )
        ).one_or_none()
        if asked is None or asked.currency != wallet.currency:
            return self._answer(wish, Answer.NOTHING_ASKED)
        values: dict[str, str | Money] = {"amount": self._money(asked.amount, wallet), "cause": self._name(asked.cause)}
        if asked.amount > wallet.available:
            return self._answer(wish, Answer.TOO_POOR, balance=self._money(max(wallet.available, 0), wallet), **values)
        self._forget_question()
        books = self._office.desk.books
        gift = Entry(
            kind="gift",
            debit=wallet.subscriber_id,
            credit=books.account(gifts_account(asked.cause)),
            amount=asked.amount,
            currency=wallet.currency,
            event_at=batch.now,
            reference=f"gift:{asked.id}",
        )
        books.move(batch, gift)
        return self._answer(wish, Answer.GIVEN, balance=self._money(wallet.available, wallet), **values)

    def _choose(self, wish: Choose, wallet: Wallet) -> list[Text]:
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
        if out.out(self._customer, self._book.short_code):
            return []
        row = {"msisdn": self._customer, "short_code": self._book.short_code, "since": batch.now}
        batch.connection.execute(rows.insert().values(row))
        out.rows.setdefault(self._customer, set()).add(self._book.short_code)
        return self._answer(wish, Answer.STOPPED)

    def _opt_in(self) -> None:
        """Whoever asks for something again wants its answer."""
        out = self._batch.shelf(OptOutShelf)
        if not out.out(self._customer, self._book.short_code):
            return
        rows = tables.opt_outs
        same = (rows.c.msisdn == self._customer, rows.c.short_code == self._book.short_code)
        self._batch.connection.execute(delete(rows).where(*same))
        out.rows[self._customer].discard(self._book.short_code)

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
                return self._answer(wish, Answer.UNKNOWN)
        assert_never(wish.reason)

    def _answer(self, wish: Wish, answer: Answer, **values: str | Money) -> list[Text]:
        body = render(self._book, wish.language, answer, operator=self._office.operator, **values)
        batch = self._batch
        until = batch.now + self._office.validity
        always = answer in (Answer.STOPPED, Answer.HELP)
        draft = Draft(self._book.short_code, self._customer, body, self._office.segments(body), until, always=always)
        text = make(batch, draft)
        batch.shelf(TextShelf).rows[text.id] = text
        return [text]

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
