"""A charging request as a unit of the write lane: what it touches, and how its decision reaches the books."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import msgspec

from gateway.balance import allowance_entries
from gateway.balance.allowance_entries import AllowanceEntry
from gateway.balance.families import Loan, lend, with_causes_of
from gateway.balance.line_rules import LineRules, Use
from gateway.balance.profiles import ProfileRows
from gateway.balance.usage import UsageRecord
from gateway.balance.wallets import WalletRows
from gateway.charging import outcome as charging_outcome
from gateway.charging.decide import ChargingState, Decision, already_booked, decide
from gateway.charging.held_reports import CHANGED_REPEAT, ReviewCapacity, hold_back, reports_of
from gateway.charging.outcome import ChangingOutcome, EnquiryOutcome, RenderedAnswer, RequestOutcome
from gateway.charging.request import EVENT, INITIAL, NOTHING_SAID, TERMINATION, ChargingRequest, as_part_of
from gateway.charging.session import AnswerRows, Session, SessionRows, StoredAnswer
from gateway.charging.tariff import QuotaTerms, Tariff
from gateway.events.outbox import RATED, Event, OutboxRows
from gateway.ledger.books import Books
from gateway.ledger.entries import Entry
from gateway.store import tables
from gateway.store.batch import Batch, RowSet, Unit
from gateway.subscribers.identifier_history import IMSI, MSISDN, Family, IdentifierRows


class CreditControlResult(msgspec.Struct, gc=False):
    """What the lane gives back: the outcome to render, whether it is a repeat's, and what to raise an alarm for."""

    outcome: RequestOutcome | ChangingOutcome | EnquiryOutcome | RenderedAnswer
    alarms: list[str]
    repeated: bool = False


class ChargingPolicy(msgspec.Struct):
    """What every request is decided with. `rated` turns a usage record into the event that tells of it."""

    tariff: Tariff
    books: Books
    rated: Callable[[UsageRecord], Event]
    room: ReviewCapacity

    def book(
        self,
        batch: Batch,
        entries: Sequence[Entry],
        usage: Sequence[UsageRecord],
        grants: Sequence[AllowanceEntry] = (),
    ) -> None:
        """Put entries of the journal and of allowances, usage records and the events that tell of them with the batch."""
        if entries:
            self.books.post(batch, entries)
        if grants:
            allowance_entries.post(batch, grants)
        if usage:
            rated = batch.row_set(OutboxRows)
            for record in usage:
                batch.add(tables.usage, record.row())
                rated.collect(batch, RATED, self.rated(record))


class CreditControlUnit(Unit):
    """One charging request, as it was read."""

    touches: ClassVar[tuple[type, ...]] = (IdentifierRows, SessionRows, WalletRows, ProfileRows)

    request: ChargingRequest

    def keys(self, row_set: RowSet[Any, Any], batch: Batch) -> Iterable[object]:
        """Name the numbers and the session, then the subscriber whom they lead to."""
        request, kind = self.request, type(row_set)
        if kind is IdentifierRows:
            return filter(None, (request.imsi, request.msisdn, request.called, *request.other_msisdns))
        if kind is SessionRows:
            return (request.session_id,)
        if kind is WalletRows:
            lines = batch.row_set(IdentifierRows)
            owner = self._owner(lines, batch.row_set(SessionRows).rows.get(request.session_id))
            if owner is None:
                return ()
            family = lines.family_of(owner)
            return (owner,) if family is None else (owner, family.payer_id)
        return ()

    def lead(self) -> object:
        """The customer's number leads to the same wallets until it is another customer's."""
        return self.request.imsi or self.request.msisdn

    def decide(self, batch: Batch) -> CreditControlResult:
        """Give a repeat its old answer; decide anything else and book what follows."""
        row_set, request = batch.row_set, self.request
        session, lines = row_set(SessionRows).rows.get(request.session_id), row_set(IdentifierRows)
        if session is not None:
            repeat = self._repeat(batch, session)
            if repeat is not None:
                return repeat
        policy, owner = batch.policy(ChargingPolicy), self._owner(lines, session)
        state, loan = self._state(batch, lines, session, owner), None
        if owner is not None:
            family = lines.family_of(owner)
            loan = self._borrow(batch, state, family, policy.tariff) if family is not None else None
        other_service = session is not None and request.service != session.service and request.request_type != EVENT
        if session is not None and other_service:
            request = as_part_of(request, session.service)
        if session is not None and session.terminated and self._is_booked(batch, session):
            decision = already_booked(request, session)
        else:
            decision = decide(state, request, policy.tariff, batch.now, batch.node.id, batch.take_id)
        if loan is not None:
            policy.books.post(batch, loan.settle(batch.now))
        if other_service:
            decision.alarms = [*decision.alarms, "charging.session.service"]
        outcome, kept, wallet = _outcome(decision, request, policy.tariff.terms), decision.session, state.wallet
        if kept is not None:
            policy.book(batch, decision.entries, decision.usage, decision.grants)
            if wallet is not None and state.profile is not None:
                rules = batch.policy(LineRules)
                if rules.is_near(wallet, kept.network, request.called, decision.limited):
                    rules.after_use(batch, wallet, state.profile, _use_of(decision, kept, request))
            self._keep(batch, kept, outcome)
        if decision.held:
            self._hold_back(batch, policy, session, owner, decision, request)
        return CreditControlResult(outcome, self._alarms(lines, decision))

    def _owner(self, lines: IdentifierRows, session: Session | None) -> int | None:
        """A session keeps its subscriber; else the IMSI tells, and the E.164 number where there is none."""
        if session is not None:
            return session.subscriber_id
        request = self.request
        if request.imsi:
            return lines.owner(IMSI, request.imsi, request.as_of)
        owners = (lines.owner(MSISDN, number, request.as_of) for number in request.msisdns if number)
        return next((owner for owner in owners if owner is not None), None)

    def _state(self, batch: Batch, lines: IdentifierRows, session: Session | None, owner: int | None) -> ChargingState:
        """Give what the request is decided on."""
        request, state = self.request, ChargingState(session, None, None)
        if owner is not None:
            state.wallet = batch.row_set(WalletRows).rows.get(owner)
            state.profile = batch.row_set(ProfileRows).rows.get(owner)
        if request.called:
            state.own_line = lines.owner(MSISDN, request.called, request.as_of) is not None
        return state

    def _borrow(self, batch: Batch, state: ChargingState, family: Family, tariff: Tariff) -> Loan | None:
        """Lend the line what its family's payer has, and let its tenth go by the payer's choice if it has made none."""
        wallet, profile = state.wallet, state.profile
        if wallet is None or profile is None:
            return None
        state.profile = with_causes_of(profile, batch.row_set(ProfileRows).get(family.payer_id))
        return lend(wallet, batch.row_set(WalletRows).get(family.payer_id), family, batch.now, tariff.zone)

    def _repeat(self, batch: Batch, session: Session) -> CreditControlResult | None:
        request = self.request
        if request.request_number > session.last_number and request.request_type != INITIAL:
            return None
        if not session.is_of(request.origin_host):
            return None
        known = batch.row_set(AnswerRows).find(
            batch.connection, session.id, request.request_type, request.request_number
        )
        if known is None:
            return None
        alarms = self._mismatches(batch.row_set(IdentifierRows), session.subscriber_id)
        if known.digest != request.digest and not (request.request_type == EVENT and known.digest == NOTHING_SAID):
            alarms.append("charging.answer.mismatch")
            held = reports_of(request, CHANGED_REPEAT)
            room = batch.policy(ChargingPolicy).room
            if held and not hold_back(batch, room, request, held, session.subscriber_id):
                alarms.append("charging.review.full")
        return CreditControlResult(charging_outcome.decode(known.outcome), alarms, repeated=True)

    def _hold_back(
        self,
        batch: Batch,
        policy: ChargingPolicy,
        session: Session | None,
        owner: int | None,
        decision: Decision,
        request: ChargingRequest,
    ) -> None:
        """Keep what nobody could charge; it is nobody's where another host than the session's says it."""
        foreign = session is not None and not session.is_of(request.origin_host)
        if not hold_back(batch, policy.room, request, decision.held, None if foreign else owner):
            decision.alarms.append("charging.review.full")

    def _is_booked(self, batch: Batch, session: Session) -> bool:
        """Return whether this is the final report of a session that has ended, under another number: it is booked once."""
        request = self.request
        if request.request_type != TERMINATION or not session.is_of(request.origin_host):
            return False
        return any(used.octets or used.seconds or used.units for item in request.items for used in item.used) and (
            batch.row_set(AnswerRows).reported(batch.connection, session.id, TERMINATION, request.digest)
        )

    def _keep(self, batch: Batch, session: Session, outcome: RequestOutcome) -> None:
        """Keep the session, and the outcome for a repeat."""
        request = self.request
        if session.fresh:
            batch.row_set(SessionRows).add(session)
        key, body = (session.id, request.request_type, request.request_number), charging_outcome.encode(outcome)
        batch.row_set(AnswerRows).rows[key] = StoredAnswer(body, request.digest)
        batch.add(tables.answers, (*key, request.digest, body))

    def _alarms(self, lines: IdentifierRows, decision: Decision) -> list[str]:
        alarms = decision.alarms
        if self.request.inconsistent:
            alarms = [*alarms, "charging.usage.inconsistent"]
        return alarms if decision.session is None else alarms + self._mismatches(lines, decision.session.subscriber_id)

    def _mismatches(self, lines: IdentifierRows, subscriber: int) -> list[str]:
        """A number that belongs to somebody else than the IMSI, or than the session, is told but charges nobody else."""
        request, at = self.request, self.request.as_of
        foreign = bool(request.imsi) and lines.owner(IMSI, request.imsi or "", at) != subscriber
        if not foreign and request.msisdn and lines.owner(MSISDN, request.msisdn, at) != subscriber:
            foreign = subscriber not in [lines.owner(MSISDN, number, at) for number in request.other_msisdns]
        return ["charging.subscriber.mismatch"] if foreign else []


def _use_of(decision: Decision, session: Session, request: ChargingRequest) -> Use:
    charged = sum(used.price for used in decision.usage)
    return Use(request.service, charged, session.network, request.called, session.id, decision.limited)


def _outcome(decision: Decision, request: ChargingRequest, terms: QuotaTerms) -> RequestOutcome:
    said = (
        decision.outcome,
        request.request_type,
        request.request_number,
        request.service,
        decision.message,
        tuple(decision.items),
        decision.validity or terms.validity,
        terms.threshold,
        terms.quota_holding,
    )
    if request.enquiry:
        return EnquiryOutcome(*said, decision.enough, decision.cost, decision.currency)
    return ChangingOutcome(*said, decision.tariff_change) if decision.tariff_change else RequestOutcome(*said)
