"""What the units of the write lane are decided with: made from the settings at start, and anew whenever they change."""

from collections.abc import Mapping
from typing import Protocol
from zoneinfo import ZoneInfo

from gateway.balance.gifts import GiftPolicy
from gateway.balance.line_rules import LineRules
from gateway.balance.spending import BillingMonths
from gateway.charging.credit_control import ChargingPolicy
from gateway.charging.held_reports import ReviewCapacity
from gateway.charging.tariff import QuotaTerms, Tariff
from gateway.charging.usage_events import RatedEvents
from gateway.charity.campaigns import Campaign
from gateway.charity.policies import POLICIES
from gateway.charity.sealed_causes import CauseSeals
from gateway.events.outbox import source_of
from gateway.fraud.limits import NEVER, FraudKind, FraudLimits, FraudRules
from gateway.fraud.line_signs import LineSigns
from gateway.ledger.books import Books
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.smpp_mapping import count_parts
from gateway.notices.line_notices import LineNotices, NoticeTerms
from gateway.notices.quiet_hours import QuietHours
from gateway.notices.sending import NoticeSender
from gateway.privacy.pseudonyms import Pseudonyms
from gateway.privacy.sealing import Sealer
from gateway.rating.plan_history import PlanHistory
from gateway.settings import Settings
from gateway.settings.sections.fraud import Fraud
from gateway.settings.sections.fraud import FraudLimits as FraudSection
from gateway.settings.sections.notices import read_quiet_hours
from gateway.sims.notifications import NAME_SIZE, Notifications
from gateway.sims.policy import SimsPolicy
from gateway.store.batch import Policies, policies_of
from gateway.store.idempotency import Digests
from gateway.store.recovery.changes import ChangeReader
from protocols.smpp.alphabets import Alphabet

SECOND = 1_000_000
"""Microseconds."""


class PolicySource(Protocol):
    """What policies are made from: the open gateway, or what the lane's process was given."""

    @property
    def settings(self) -> Settings:
        """The settings that they follow."""

    @property
    def accounts(self) -> Mapping[str, int]:
        """The numbers of the system accounts."""

    @property
    def node_name(self) -> str:
        """Who makes events."""

    @property
    def digests(self) -> Digests:
        """How idempotency keys are digested."""

    @property
    def sealer(self) -> Sealer:
        """What keys of SIMs are sealed with."""

    @property
    def cause_seals(self) -> CauseSeals:
        """What causes beside customers are sealed with."""

    @property
    def pseudonyms(self) -> Pseudonyms:
        """What numbers are called in events."""

    @property
    def change_reader(self) -> ChangeReader | None:
        """Who reads what is committed, for a continuous backup."""


def make_policies(source: PolicySource) -> Policies:
    """Make all of them, by the settings of the moment."""
    books = Books(source.accounts)
    charging = charging_policy(source, books)
    return policies_of(
        books,
        source.digests,
        source.sealer,
        source.cause_seals,
        charging,
        messaging_policy(source, charging),
        sender := notice_sender(source),
        line_rules(source, charging.tariff, sender),
        sims_policy(source),
        gift_policy(source),
        *([source.change_reader] if source.change_reader is not None else []),
    )


def charging_policy(source: PolicySource, books: Books) -> ChargingPolicy:
    """Make what charging requests are decided with."""
    settings = source.settings
    charging = settings.charging
    terms = QuotaTerms(
        slice_octets=charging.slice,
        slice_seconds=charging.slice_seconds,
        slice_units=charging.slice_units,
        validity=charging.validity,
        threshold=charging.threshold,
        quota_holding=charging.quota_holding,
        octets_per_second=charging.review.octets_per_second,
        tolerance=charging.review.tolerance,
    )
    policy = POLICIES[settings.charity.policy]
    operator = settings.operator
    zone = ZoneInfo(operator.timezone)
    plans = settings.history or PlanHistory(settings.plans)
    tariff = Tariff(
        plans.plans,
        policy,
        terms,
        books.account,
        operator.country,
        zone,
        plans.earlier,
        plans.kept,
        months=BillingMonths(zone),
        cap_abroad=charging.cap_abroad,
        promotions_last=charging.credit.promotions == "last",
        credit_vat=charging.credit.vat,
        later=settings.charity.later(zone),
    )
    rated = RatedEvents(source.node_name, source.pseudonyms)
    return ChargingPolicy(tariff, books, rated, ReviewCapacity(charging.review.most))


def messaging_policy(source: PolicySource, charging: ChargingPolicy) -> MessagingPolicy:
    """Make what texts are decided with."""
    settings, alphabet = source.settings, alphabet_of(source)
    messaging = settings.messaging
    return MessagingPolicy(
        charging=charging,
        source=source_of(source.node_name),
        pseudonym=source.pseudonyms.msisdn,
        operator=settings.operator.name,
        books=settings.keywords,
        causes={cause.id: cause.name for cause in settings.causes.values() if cause.open},
        segments=lambda body: count_parts(body, alphabet),
        validity=messaging.validity * SECOND,
        question=messaging.question * SECOND,
        reassembly=messaging.reassembly * SECOND,
        own=frozenset((*messaging.short_codes, *messaging.numbers, *settings.keywords)),
        answers_per_hour=messaging.answers_per_hour,
        digests=source.digests,
    )


def gift_policy(source: PolicySource) -> GiftPolicy:
    """Make what gifts are decided with."""
    settings = source.settings
    charity, operator = settings.charity, settings.operator
    campaigns = [
        Campaign(
            each.id, each.matcher, each.ratio, each.cap, each.currency, each.begins, each.ends, frozenset(each.causes)
        )
        for each in charity.matching
    ]
    return GiftPolicy(
        causes={cause.id: cause.name for cause in settings.causes.values() if cause.open},
        country=operator.country,
        zone=ZoneInfo(operator.timezone),
        window=charity.gift_window * SECOND,
        campaigns=tuple(campaigns),
    )


def line_rules(source: PolicySource, tariff: Tariff, sender: NoticeSender) -> LineRules:
    """Make what looks at each line's use: notices to its customer, and signs of fraud."""
    notices = source.settings.notices
    terms = NoticeTerms(
        currency=source.settings.operator.currency,
        likely=notices.likely,
        allowance=notices.allowance,
        low_balance=notices.low_balance,
        border=frozenset(notices.border),
    )
    signs = LineSigns(fraud_rules(source.settings.fraud), source_of(source.node_name), source.pseudonyms.msisdn)
    return LineRules.of(signs, LineNotices(terms, sender, tariff))


def fraud_rules(section: Fraud) -> FraudRules:
    """Make what use of a line is suspicious."""

    def limits(given: FraudSection) -> FraudLimits:
        values = {kind: getattr(given, kind) for kind in FraudKind}
        bar = frozenset(FraudKind(kind) for kind in given.bar)
        return FraudLimits(**{kind: NEVER if value is None else value for kind, value in values.items()}, bar=bar)

    plans = {plan: limits(given) for plan, given in section.plans.items()}
    return FraudRules(limits(section.limits), plans, tuple(section.destinations))


def notice_sender(source: PolicySource) -> NoticeSender:
    """Make what notices are written with."""
    settings, alphabet = source.settings, alphabet_of(source)
    notices, operator, codes = settings.notices, settings.operator, settings.messaging.short_codes
    start, end = read_quiet_hours(notices.quiet_hours)
    return NoticeSender(
        source=notices.sender or (codes[0] if codes else operator.name[:NAME_SIZE].strip()),
        language=notices.language,
        words=notices.words,
        common={"operator": operator.name, "care": notices.care},
        quiet=QuietHours(start, end, ZoneInfo(operator.timezone)),
        validity=settings.messaging.validity * SECOND,
        segments=lambda body: count_parts(body, alphabet),
        linked=any(link.bind != "receiver" for link in settings.smpp.links),
    )


def sims_policy(source: PolicySource) -> SimsPolicy:
    """Make what cards and orders are decided with."""
    settings = source.settings
    return SimsPolicy(
        source=source.node_name,
        hosts=settings.provisioning.host_of,
        currencies={name: plan.currency for name, plan in settings.plans.items()},
        quarantine=settings.provisioning.quarantine * SECOND,
        compose=Notifications(settings, alphabet_of(source)).compose,
        pseudonym=source.pseudonyms.subscriber,
        countries={host.name: host.serves(settings.operator) for host in settings.provisioning.hosts},
    )


def alphabet_of(source: PolicySource) -> Alphabet:
    """Return the alphabet that texts are cut for: the first link's."""
    links = source.settings.smpp.links
    return Alphabet(links[0].default_alphabet) if links else Alphabet.GSM7
