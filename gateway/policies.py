"""What the units of the write lane are decided with: made from the settings at start, and anew whenever they change."""

from zoneinfo import ZoneInfo

from gateway.charging.credit_control import ChargingPolicy
from gateway.charging.held_reports import ReviewCapacity
from gateway.charging.tariff import QuotaTerms, Tariff
from gateway.charging.usage_events import RatedEvents
from gateway.charity.policies import POLICIES
from gateway.context import GatewayContext
from gateway.events.outbox import source_of
from gateway.ledger.books import Books
from gateway.messaging.policy import MessagingPolicy
from gateway.messaging.smpp_mapping import count_parts
from gateway.sims.notifications import Notifications
from gateway.sims.policy import SimsPolicy
from gateway.store.batch import Policies, policies_of
from protocols.smpp.alphabets import Alphabet

SECOND = 1_000_000
"""Microseconds."""


def make_policies(context: GatewayContext) -> Policies:
    """Make all of them, by the settings of the moment."""
    books = Books(context.accounts)
    charging = charging_policy(context, books)
    return policies_of(
        books,
        context.digests,
        context.sealer,
        charging,
        messaging_policy(context, charging),
        sims_policy(context),
        *([context.change_reader] if context.change_reader is not None else []),
    )


def charging_policy(context: GatewayContext, books: Books) -> ChargingPolicy:
    """Make what charging requests are decided with."""
    settings = context.settings
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
    tariff = Tariff(settings.plans, policy, terms, books.account, operator.country, zone, settings.earlier_plans)
    rated = RatedEvents(context.node_name, context.pseudonyms)
    return ChargingPolicy(tariff, books, rated, ReviewCapacity(charging.review.most))


def messaging_policy(context: GatewayContext, charging: ChargingPolicy) -> MessagingPolicy:
    """Make what texts are decided with."""
    settings, alphabet = context.settings, alphabet_of(context)
    messaging = settings.messaging
    return MessagingPolicy(
        charging=charging,
        source=source_of(context.node_name),
        pseudonym=context.pseudonyms.msisdn,
        operator=settings.operator.name,
        books=settings.keywords,
        causes={cause.id: cause.name for cause in settings.causes.values() if cause.open},
        segments=lambda body: count_parts(body, alphabet),
        validity=messaging.validity * SECOND,
        question=messaging.question * SECOND,
        reassembly=messaging.reassembly * SECOND,
        own=frozenset((*messaging.short_codes, *messaging.numbers, *settings.keywords)),
        answers_per_hour=messaging.answers_per_hour,
        digests=context.digests,
    )


def sims_policy(context: GatewayContext) -> SimsPolicy:
    """Make what cards and orders are decided with."""
    settings = context.settings
    return SimsPolicy(
        source=context.node_name,
        hosts=settings.provisioning.host_of,
        currencies={name: plan.currency for name, plan in settings.plans.items()},
        quarantine=settings.provisioning.quarantine * SECOND,
        compose=Notifications(settings, alphabet_of(context)).compose,
        pseudonym=context.pseudonyms.subscriber,
        countries={host.name: host.serves(settings.operator) for host in settings.provisioning.hosts},
    )


def alphabet_of(context: GatewayContext) -> Alphabet:
    """Give the alphabet that texts are cut for: the first link's."""
    links = context.settings.smpp.links
    return Alphabet(links[0].default_alphabet) if links else Alphabet.GSM7
