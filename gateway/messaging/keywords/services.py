"""What a keyword does: ask before money moves, move it once, choose causes, tell balances, stop.

Everything happens in the unit that took the text: the state of a question and the money move together, and the answer is a
text of the same transaction.
"""

from typing import assert_never

import msgspec
from sqlalchemy import delete, select

from gateway.balance import bookings
from gateway.balance.gifts import Gift, GiftState, hold_gift, latest_held, withdraw
from gateway.balance.paid_services import left_of_month
from gateway.balance.profiles import ProfileRows
from gateway.balance.wallets import Wallet, WalletRows
from gateway.charity.choices import Share
from gateway.charity.policies import WHOLE
from gateway.charity.sealed_causes import CauseSeals, Consent
from gateway.ledger.money import is_payable
from gateway.messaging.inbound.lost_parts import deletion, parts_from, words_there
from gateway.messaging.inbound.senders import Sender
from gateway.messaging.inbound.unanswered import Silence
from gateway.messaging.keywords.amounts import Money
from gateway.messaging.keywords.answers import bounds, cause_list, render
from gateway.messaging.keywords.catalogue import KeywordAnswer, KeywordBook
from gateway.messaging.keywords.normalize import joined, tokens
from gateway.messaging.keywords.parser import (
    Asked,
    Balance,
    Choose,
    Give,
    Help,
    KeywordRequest,
    No,
    Reason,
    Start,
    Stop,
    Tenth,
    Unknown,
    Yes,
    read,
)
from gateway.messaging.opt_outs import OptOutRows
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.submit import Draft, make
from gateway.messaging.texts import Text, TextRows
from gateway.rating.paid_service_limits import limit_of
from gateway.store import tables
from gateway.store.batch import Batch
from gateway.subscribers.identifier_history import MSISDN, IdentifierRows
from gateway.subscribers.status import ACTIVE
from provisioning.identifiers import is_number_of

GIVE = "give"
TEXT = "text"
"""The channel of what customers text."""
MINUTE = 60_000_000
HOUR = 60 * MINUTE
CANCEL = frozenset({"cancel", "cancelar", "annuler"})
"""Whole texts that take a held gift back."""
CANCEL_STOPS = frozenset({"US", "AS", "GU", "MP", "PR", "VI"})
"""Where CANCEL ends the texts whatever it answers (47 CFR 64.1200(a)(10)); carriers there end them by it themselves."""


class AnswerLimitReached(msgspec.Struct, frozen=True):
    """The data of the event `sms/answers_limited`: our number that answers no more, and how often it does within an hour."""

    to: str
    answers_per_hour: int


class _Question(msgspec.Struct, frozen=True):
    """A question that is open: its number, and the gift that it is about (micro-units)."""

    id: int
    cause: str
    amount: int
    currency: str


class Services:
    """The keyword services of one short code, for one text of one customer.

    After `serve`, `silent` says why there is no answer, "" if there is one or none was wanted, and `limited` whether the
    customer has just had all answers of an hour.
    """

    def __init__(
        self, policy: MessagingPolicy, batch: Batch, customer: str, book: KeywordBook, sender: Sender, mute: str = ""
    ) -> None:
        """Take the customer's number, what is remembered of it, and the book of the short code that the text came to.

        `mute` is why nothing is to be answered; then nothing is done either, but for STOP.
        """
        self._policy, self._batch, self._customer, self._book = policy, batch, customer, book
        self._sender, self._mute = sender, mute
        self._owner = batch.row_set(IdentifierRows).owner(MSISDN, customer, batch.now)
        self._out = batch.row_set(OptOutRows).out(customer, book.short_code)
        self._seals = batch.policy(CauseSeals)
        self.silent, self.limited = "", False

    def serve(self, body: str) -> list[Text]:
        """Do what a text asks for and give the texts to answer with.

        While the customer is out, what he asks for himself is answered, what asks for nothing is not; neither opts him in.
        """
        request = read(body, self._book, names=self._policy.names)
        wallet = self._batch.row_set(WalletRows).get(self._owner) if self._owner is not None else None
        if isinstance(request, No) and request.stops and (wallet is None or self._question(wallet) is None):
            request = Stop(request.language)
        if isinstance(request, Stop) and wallet is not None and self._cancels(body):
            request = self._cancel(request, wallet)
        if isinstance(request, Stop):
            return self._stop(request)
        if self._mute:
            return self._say_nothing(self._mute)
        if isinstance(request, Help):
            return self._answer(request, KeywordAnswer.HELP)
        if isinstance(request, Start):
            return self._start(request)
        if wallet is None:
            return self._say_nothing(Silence.OPTED_OUT) if self._out else self._answer(request, KeywordAnswer.STRANGER)
        asked = self._question(wallet) if isinstance(request, Unknown) else None
        if asked is not None:
            question = Asked(asked.cause, asked.amount, asked.currency)
            answer = read(body, self._book, names=self._policy.names, asked=question)
            if isinstance(answer, Stop):
                return self._stop(answer)
            if isinstance(answer, (Yes, No)):
                request = answer
        return self._serve(request, wallet)

    def opt(self, body: str) -> None:
        """Do what a text says of further texts, STOP or START, and nothing else; no word is answered."""
        if isinstance(read(body, self._book, names=self._policy.names), Start):
            self._opt_in()
        self.hear_stop(body)

    def hear_stop(self, body: str) -> list[Text]:
        """Do what a text says if it is a STOP, and give the text to answer with; nothing else counts."""
        request = read(body, self._book, names=self._policy.names)
        if isinstance(request, Stop) or (isinstance(request, No) and request.stops):
            return self._stop(Stop(request.language))
        return []

    def _serve(self, request: Give | Yes | No | Choose | Balance | Tenth | Unknown, wallet: Wallet) -> list[Text]:
        match request:
            case Give():
                return self._ask(request, wallet)
            case Yes():
                return self._give(request, wallet)
            case No():
                return self._drop(request, wallet)
            case Choose():
                return self._choose(request, wallet)
            case Balance():
                return self._answer(request, KeywordAnswer.BALANCE, balance=self._money(wallet.available, wallet))
            case Tenth():
                return self._answer(request, KeywordAnswer.TENTH, given=self._money(wallet.given, wallet))
            case Unknown():
                return self._explain(request, wallet)
        assert_never(request)

    def _ask(self, request: Give, wallet: Wallet) -> list[Text]:
        """Ask before money moves. The same GIVE asks the same question again, another one replaces it: one alone is open."""
        cause = request.cause or self._chosen(wallet)
        if wallet.status != ACTIVE:
            return self._refuse(request, KeywordAnswer.SUSPENDED)
        if cause is None:
            return self._answer(request, KeywordAnswer.WHICH_CAUSE, causes=self._causes())
        if request.currency and request.currency != wallet.currency:
            return self._answer(request, KeywordAnswer.OTHER_CURRENCY, currency=wallet.currency)
        if not is_payable(request.amount, wallet.currency):
            return self._explain(Unknown(request.language, Reason.HOW_MUCH, cause), wallet)
        if cause not in self._policy.causes:
            return self._answer(request, KeywordAnswer.CLOSED, cause=self._name(cause), causes=self._causes())
        values: dict[str, str | Money] = {"amount": self._money(request.amount, wallet), "cause": self._name(cause)}
        refused = self._beyond_the_law(request, request.amount, wallet, values)
        if refused is not None:
            return refused
        if request.amount > wallet.available:
            balance = self._money(max(wallet.available, 0), wallet)
            return self._answer(request, KeywordAnswer.TOO_POOR, balance=balance, **values)
        if not self._may_ask():
            return self._withhold()
        self._open_question(cause, request.amount, wallet)
        return self._answer(request, KeywordAnswer.ASK, minutes=str(self._policy.question // MINUTE), **values)

    def _beyond_the_law(
        self, request: KeywordRequest, amount: int, wallet: Wallet, values: dict[str, str | Money]
    ) -> list[Text] | None:
        """Refuse a gift of more than may be paid by the phone bill, at once or in a month; None where it is within that."""
        tariff = self._policy.charging.tariff
        limit = limit_of(tariff.country, wallet.currency)
        if limit is None:
            return None
        if amount > limit.each:
            return self._answer(request, KeywordAnswer.OUT_OF_BOUNDS, **self._bounds(wallet))
        left = left_of_month(wallet, limit, self._batch.now, tariff.zone)
        if amount <= left:
            return None
        said = {"limit": self._money(limit.monthly, wallet), "left": self._money(left, wallet)}
        return self._answer(request, KeywordAnswer.OVER_LIMIT, **values, **said)

    def _open_question(self, cause: str, amount: int, wallet: Wallet) -> None:
        """Write down what is asked; a question that is open already keeps its number, by which its gift is taken once."""
        batch, asked = self._batch, self._question(wallet)
        same = asked is not None and (asked.cause, asked.amount, asked.currency) == (cause, amount, wallet.currency)
        self._forget_question()
        number = asked.id if asked is not None and same else batch.take_id()
        batch.connection.execute(
            tables.questions.insert().values(
                msisdn=self._customer,
                short_code=self._book.short_code,
                id=number,
                kind=GIVE,
                cause=self._seals.seal(cause, _question_owner(number)),
                amount=amount,
                currency=wallet.currency,
                asked_at=batch.now,
                expires_at=batch.now + self._policy.question,
                subscriber_id=wallet.subscriber_id,
            )
        )

    def _question(self, wallet: Wallet) -> _Question | None:
        """Return the question that is open to this customer; one to an earlier owner of the number is none."""
        rows = tables.questions
        asked = self._batch.connection.execute(
            select(rows).where(
                rows.c.msisdn == self._customer,
                rows.c.short_code == self._book.short_code,
                rows.c.expires_at > self._batch.now,
            )
        ).one_or_none()
        theirs = asked is not None and asked.subscriber_id in (None, wallet.subscriber_id)
        if asked is None or not theirs:
            return None
        return _Question(
            asked.id, self._seals.open(asked.cause, _question_owner(asked.id)), asked.amount, asked.currency
        )

    def _give(self, request: Yes, wallet: Wallet) -> list[Text]:
        """Take the gift that was asked about: once, whole. A YES consumes the question, also where the gift is refused."""
        asked = self._question(wallet)
        if asked is None:
            return (
                self._say_nothing(Silence.OPTED_OUT)
                if self._out
                else self._answer(request, KeywordAnswer.NOTHING_ASKED)
            )
        self._forget_question()
        amount, cause = self._money(asked.amount, wallet), self._name(asked.cause)
        if wallet.status != ACTIVE:
            return self._refuse(request, KeywordAnswer.SUSPENDED)
        if asked.currency != wallet.currency:
            return self._answer(request, KeywordAnswer.OTHER_CURRENCY, currency=wallet.currency)
        if asked.cause not in self._policy.causes:
            return self._answer(request, KeywordAnswer.CLOSED, cause=cause, causes=self._causes())
        if not self._book.minimum <= asked.amount <= self._book.maximum:
            return self._answer(request, KeywordAnswer.OUT_OF_BOUNDS, **self._bounds(wallet))
        refused = self._beyond_the_law(request, asked.amount, wallet, {"amount": amount, "cause": cause})
        if refused is not None:
            return refused
        own = bookings.own_money(wallet)
        if asked.amount > own:
            balance = self._money(max(own, 0), wallet)
            return self._answer(request, KeywordAnswer.TOO_POOR, balance=balance, amount=amount, cause=cause)
        gift = hold_gift(self._batch, wallet, asked.id, asked.cause, asked.amount, (TEXT, str(asked.id)))
        self._opt_in()
        return self._thank(request, wallet, gift)

    def _thank(self, request: Yes, wallet: Wallet, gift: Gift) -> list[Text]:
        """Say that a gift is made, or will be and until when it may be taken back."""
        said: dict[str, str | Money] = {"amount": self._money(gift.amount, wallet), "cause": self._name(gift.cause)}
        said["balance"] = self._money(wallet.available, wallet)
        if gift.state is not GiftState.HELD:
            return self._answer(request, KeywordAnswer.GIVEN, **said)
        hours = -(-(gift.due_at - self._batch.now) // HOUR)
        return self._answer(request, KeywordAnswer.HELD, hours=str(hours), **said)

    def _held(self, wallet: Wallet) -> Gift | None:
        """Return the gift that the customer may take back by a word; the one that was asked for last."""
        return latest_held(self._batch, wallet.subscriber_id)

    def _cancels(self, body: str) -> bool:
        """Return whether a text is nothing but a word for taking a gift back; without a gift that is held it is a stop word."""
        return not self._mute and joined(tokens(body)) in CANCEL

    def _cancel(self, request: Stop, wallet: Wallet) -> Stop | No:
        """Read a CANCEL: it takes back a gift that is held, and ends the texts where none is, or where that is the law."""
        held = self._held(wallet)
        if held is None or not is_number_of(self._customer, CANCEL_STOPS):
            return request if held is None else No(request.language)
        withdraw(self._batch, wallet, held)
        return request

    def _take_back(self, request: KeywordRequest, wallet: Wallet, gift: Gift) -> list[Text]:
        withdraw(self._batch, wallet, gift)
        amount, balance = self._money(gift.amount, wallet), self._money(wallet.available, wallet)
        return self._answer(
            request, KeywordAnswer.WITHDRAWN, amount=amount, cause=self._name(gift.cause), balance=balance
        )

    def _drop(self, request: No, wallet: Wallet) -> list[Text]:
        """Forget the question, or without one take back the gift that is held; a NO to neither is a text that we don't know."""
        asked = self._question(wallet)
        held = self._held(wallet) if asked is None else None
        if held is not None:
            return self._take_back(request, wallet, held)
        if asked is None:
            return self._explain(Unknown(request.language, Reason.NO_SERVICE), wallet)
        self._forget_question()
        amount = Money(asked.amount, asked.currency)
        return self._answer(request, KeywordAnswer.DROPPED, amount=amount, cause=self._name(asked.cause))

    def _refuse(self, request: KeywordRequest, answer: KeywordAnswer) -> list[Text]:
        """Refuse what a line that is not active asks for; what it was asked is forgotten."""
        self._forget_question()
        return self._answer(request, answer)

    def _choose(self, request: Choose, wallet: Wallet) -> list[Text]:
        if wallet.status != ACTIVE:
            return self._refuse(request, KeywordAnswer.SUSPENDED)
        if request.cause is None:
            return self._answer(request, KeywordAnswer.CAUSES, causes=self._causes())
        if request.cause not in self._policy.causes:
            return self._answer(request, KeywordAnswer.CLOSED, cause=self._name(request.cause), causes=self._causes())
        shares = (Share(request.cause, WHOLE),)
        consent = Consent(TEXT, self._book.wording(request.language, KeywordAnswer.CHOSEN))
        self._batch.row_set(ProfileRows).begin_choice(self._batch, wallet.subscriber_id, shares, consent)
        return self._answer(request, KeywordAnswer.CHOSEN, cause=self._name(request.cause))

    def _stop(self, request: Stop) -> list[Text]:
        """Open no question, send nothing further but this one confirmation."""
        self._forget_question()
        rows, batch = tables.opt_outs, self._batch
        out = batch.row_set(OptOutRows)
        if self._out:
            return []
        row = {"msisdn": self._customer, "short_code": self._book.short_code, "since": batch.now}
        batch.connection.execute(rows.insert().values(row))
        out.rows.setdefault(self._customer, set()).add(self._book.short_code)
        return self._say_nothing(self._mute) if self._mute else self._answer(request, KeywordAnswer.STOPPED)

    def _start(self, request: Start) -> list[Text]:
        """Send again what STOP ended."""
        self._opt_in()
        return self._answer(request, KeywordAnswer.STARTED)

    def _opt_in(self) -> None:
        """Opt in again: by START, or YES to a question of ours. Nothing else does it.

        A STOP that came before, and of which a part has not come, is not to be heard after it.
        """
        for key, parts in parts_from(self._batch.connection, self._customer).items():
            if isinstance(read(words_there(parts, key.total), self._book, names=self._policy.names), Stop):
                self._batch.connection.execute(deletion(key))
        if not self._out:
            return
        rows = tables.opt_outs
        same = (rows.c.msisdn == self._customer, rows.c.short_code == self._book.short_code)
        self._batch.connection.execute(delete(rows).where(*same))
        self._batch.row_set(OptOutRows).rows[self._customer].discard(self._book.short_code)
        self._out = False

    def _explain(self, request: Unknown, wallet: Wallet) -> list[Text]:
        limits = self._bounds(wallet)
        match request.reason:
            case Reason.WHICH_CAUSE:
                return self._answer(request, KeywordAnswer.WHICH_CAUSE, causes=self._causes())
            case Reason.HOW_MUCH:
                return self._answer(request, KeywordAnswer.HOW_MUCH, **limits)
            case Reason.OUT_OF_BOUNDS:
                return self._answer(request, KeywordAnswer.OUT_OF_BOUNDS, **limits)
            case Reason.NO_SERVICE:
                return (
                    self._say_nothing(Silence.OPTED_OUT) if self._out else self._answer(request, KeywordAnswer.UNKNOWN)
                )
        assert_never(request.reason)

    def _answer(self, request: KeywordRequest, answer: KeywordAnswer, **values: str | Money) -> list[Text]:
        """Make the answer, if the customer may get one; one who is out gets it because he asked."""
        if not self._may_answer(answer):
            return self._withhold()
        body = render(self._book, request.language, answer, operator=self._policy.operator, **values)
        batch = self._batch
        until = batch.now + self._policy.validity
        always = self._out or answer in (KeywordAnswer.STOPPED, KeywordAnswer.HELP)
        draft = Draft(self._book.short_code, self._customer, body, self._policy.segments(body), until, always=always)
        text = make(batch, draft)
        batch.row_set(TextRows).rows[text.id] = text
        self._sender.answered.append(batch.now)
        return [text]

    def _may_ask(self) -> bool:
        """Whether a question and the answer to its YES both have a place among the answers of this hour."""
        most = self._policy.answers_per_hour
        return self._sender.answers_left(most, self._batch.now) >= min(2, max(most, 1))

    def _may_answer(self, answer: KeywordAnswer) -> bool:
        """Whether there is a place for an answer; the last one is kept for the YES to a question that is open."""
        left = self._sender.answers_left(self._policy.answers_per_hour, self._batch.now)
        if answer is KeywordAnswer.ASK or left != 1:
            return left > 0
        rows = tables.questions
        still_open = select(rows.c.id).where(rows.c.msisdn == self._customer, rows.c.expires_at > self._batch.now)
        return self._batch.connection.execute(still_open).first() is None

    def _withhold(self) -> list[Text]:
        """Answer no more within this hour, and tell the company once."""
        if self._sender.limit(self._batch.now):
            self.limited = True
            limit = AnswerLimitReached(self._book.short_code, self._policy.answers_per_hour)
            self._policy.publish(self._batch, "sms/answers_limited", self._customer, limit)
        return self._say_nothing(Silence.LIMIT)

    def _say_nothing(self, reason: str) -> list[Text]:
        self.silent = reason
        return []

    def _chosen(self, wallet: Wallet) -> str | None:
        profile = self._batch.row_set(ProfileRows).get(wallet.subscriber_id)
        shares = profile.choices[-1].shares if profile is not None and profile.choices else ()
        return shares[0].cause if len(shares) == 1 else None

    def _forget_question(self) -> None:
        rows = tables.questions
        same = (rows.c.msisdn == self._customer, rows.c.short_code == self._book.short_code)
        self._batch.connection.execute(delete(rows).where(*same))

    def _causes(self) -> str:
        return cause_list(self._book, self._policy.causes.keys())

    def _name(self, cause: str) -> str:
        return self._policy.causes.get(cause, cause)

    def _bounds(self, wallet: Wallet) -> dict[str, Money]:
        return bounds(self._book, wallet.currency, self._policy.charging.tariff.country)

    def _money(self, micro: int, wallet: Wallet) -> Money:
        return Money(micro, wallet.currency)


def _question_owner(number: int) -> str:
    return f"question/{number}"
