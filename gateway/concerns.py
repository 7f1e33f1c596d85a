"""What an operator should look at: the one list behind the status page, `tpo status`, /readyz and the alert rules.

Each concern has an id, a severity and a runbook. Where an alert rule (config/prometheus/alerts.yml) watches for the same
thing, it is named here; tests compare both lists, and look for the runbooks.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from gateway.events.times import rfc3339

Severity = Literal["critical", "warning"]
HOUR: Final = 3600
TEN_MINUTES: Final = 600
MICROSECONDS: Final = 1_000_000


class Kind(NamedTuple):
    """How grave a concern is, which page says what to do, and which alerts fire for the same thing."""

    severity: Severity
    runbook: str
    alerts: tuple[str, ...] = ()


class Concern(msgspec.Struct, frozen=True):
    """Something to look at: what it is by id and in words, how grave it is, and the page that says what to do.

    `concern` is the id too. `subject` is the peer, link, host, gateway or task that it is about, "" for this gateway as a
    whole; `since` when it was first seen (RFC 3339), "" before anybody has looked twice.
    """

    id: str
    words: str
    severity: Severity
    runbook: str
    concern: str = ""
    subject: str = ""
    since: str = ""


class Onsets:
    """Since when each concern is there, by id and subject; one that went away and comes again begins anew."""

    def __init__(self) -> None:
        """Begin without any."""
        self._since: dict[tuple[str, str], int] = {}

    def dated(self, found: Sequence[Concern], now: int) -> list[Concern]:
        """Return what is to be looked at now (UTC microseconds) with its beginning, and forget what is over."""
        before = self._since
        self._since = {key: before.get(key, now) for key in ((each.id, each.subject) for each in found)}
        return [msgspec.structs.replace(each, since=rfc3339(self._since[each.id, each.subject])) for each in found]


CONCERNS: Final[dict[str, Kind]] = {
    # The process
    "process.draining": Kind("critical", "draining"),
    "process.late": Kind("warning", "event-loop-late", ("TpoEventLoopLate",)),
    "process.crashed": Kind("critical", "crashed", ("TpoCrashed",)),
    "task.failing": Kind("critical", "crashed"),
    "clock.stepped": Kind("warning", "clock-stepped", ("TpoClockStepped",)),
    "config.refused": Kind("warning", "reload-refused", ("TpoReloadRefused",)),
    "config.empty": Kind("warning", "nothing-configured"),
    "tokens.refused": Kind("warning", "tokens-refused", ("TpoTokensRefused",)),
    # The store
    "store.trouble": Kind("critical", "store-unavailable", ("TpoStoreUnavailable",)),
    "store.unreadable": Kind("critical", "store-unavailable"),
    "lane.behind": Kind("warning", "lane-in-trouble", ("TpoLaneInTrouble",)),
    "lane.lost": Kind("warning", "lane-in-trouble"),
    "lane.restarted": Kind("warning", "lane-restarts", ("TpoLaneRestarts",)),
    "unit.poisoned": Kind("warning", "unit-poisoned", ("TpoUnitPoisoned",)),
    # Several gateways on one store
    "node.gone": Kind("critical", "node-gone", ("TpoNodeGone",)),
    "node.adopted": Kind("warning", "node-adopted", ("TpoNodeAdopted",)),
    "node.fenced": Kind("warning", "node-fenced", ("TpoNodeFenced",)),
    "backup.behind": Kind("warning", "backup-behind", ("TpoBackupBehind",)),
    "sealed.missing": Kind("critical", "sealed-months", ("TpoSealedFileMissing",)),
    "sealed.trouble": Kind("warning", "sealed-months"),
    # Charging
    "charging.slow": Kind("warning", "charging-slow", ("TpoChargingSlow",)),
    "charging.refused": Kind("critical", "charging-refused", ("TpoChargingRefused",)),
    "wallet.overdrawn": Kind("warning", "wallet-overdrawn", ("TpoWalletOverdrawn",)),
    "reports.held": Kind("warning", "reports-held", ("TpoReportsHeld",)),
    "fraud.suspected": Kind("warning", "fraud-suspected", ("TpoFraudSuspected",)),
    "peer.down": Kind("critical", "peer-down", ("TpoPeerDown",)),
    "peer.suspect": Kind("warning", "peer-down"),
    "peer.unstable": Kind("warning", "peer-down"),
    # Giving
    "charity.transmit_due": Kind("warning", "charity-transmit-due", ("TpoCharityTransmitDue",)),
    # Texts
    "link.down": Kind("critical", "link-down", ("TpoLinkDown",)),
    "link.unstable": Kind("warning", "link-lost-often", ("TpoLinkLostOften",)),
    "link.throttled": Kind("warning", "link-throttled", ("TpoLinkThrottled",)),
    "link.suspended": Kind("warning", "text-queue-growing"),
    "texts.stranded": Kind("critical", "texts-without-link"),
    "texts.without_route": Kind("critical", "texts-without-route"),
    "texts.waiting": Kind("warning", "text-queue-growing", ("TpoTextQueueGrowing",)),
    "texts.doubtful": Kind("warning", "texts-doubtful", ("TpoTextsDoubtful",)),
    "switching.requested": Kind("critical", "switching-requested", ("TpoSwitchingRequested",)),
    "responses.missing": Kind("warning", "responses-missing", ("TpoResponsesMissing",)),
    # SIM cards and orders
    "host.unreachable": Kind("critical", "host-unreachable", ("TpoHostUnreachable",)),
    "orders.failed": Kind("warning", "orders-failed", ("TpoOrdersFailed",)),
    # Events
    "broker.down": Kind("warning", "outbox-waiting"),
    "outbox.waiting": Kind("warning", "outbox-waiting", ("TpoOutboxWaiting",)),
}
"""Every kind of concern."""

SEEN_FROM_OUTSIDE: Final = frozenset({"TpoGatewayDown", "TpoRestartLoop", "TpoRestartsOften"})
"""Alerts about what a gateway cannot say of itself: that it does not answer, that it was another process before."""


class FromEvents(NamedTuple):
    """A concern that is there while log events have come: which, within so many seconds, and how many at least."""

    id: str
    events: tuple[str, ...]
    seconds: int
    least: int
    words: str


FROM_EVENTS: Final = (
    FromEvents("process.crashed", ("daemon.crashed", "daemon.task.failed"), HOUR, 1, "parts of the gateway crashed"),
    FromEvents("clock.stepped", ("clock.stepped", "clock.behind"), HOUR // 4, 1, "steps of the machine's clock"),
    FromEvents("config.refused", ("config.refused", "config.restart.needed"), HOUR // 2, 1, "reloads were refused"),
    FromEvents("tokens.refused", ("api.token.refused",), HOUR // 4, 2, "addresses came with wrong tokens"),
    FromEvents("lane.lost", ("store.unavailable", "store.outcome_unknown"), TEN_MINUTES, 1, "batches were lost"),
    FromEvents("lane.restarted", ("store.lane.ended",), HOUR, 1, "times the write lane's process died"),
    FromEvents("unit.poisoned", ("store.unit.poisoned",), HOUR, 1, "units of work could not be stored"),
    FromEvents("node.adopted", ("node.adopted",), HOUR, 1, "times the work of another gateway was taken over"),
    FromEvents("node.fenced", ("store.fenced", "node.renumbered"), HOUR, 1, "signs that another gateway took over"),
    FromEvents("wallet.overdrawn", ("charging.wallet.overdrawn",), HOUR, 11, "wallets were overdrawn"),
    FromEvents("reports.held", ("charging.report.unbooked",), HOUR, 1, "usage reports could not be booked or held"),
    FromEvents("peer.unstable", ("diameter.peer.down",), TEN_MINUTES, 3, "connections of Diameter peers were lost"),
    FromEvents("switching.requested", ("sms.switching.requested",), HOUR, 1, "customers asked by text how to leave"),
    FromEvents("orders.failed", ("order.failed", "order.stuck"), HOUR, 1, "orders about SIMs gave up"),
)  # fmt: skip


def concern(kind: str, words: str, subject: str = "") -> Concern:
    """Make a concern of a kind that the table has; `subject` is whom it is about."""
    severity, runbook, _ = CONCERNS[kind]
    return Concern(kind, words, severity, f"docs/runbooks/{runbook}.md", kind, subject)


def from_events(count_since: Callable[[str, int], int], now: int) -> list[Concern]:
    """Say what the log's events give cause for; `count_since` counts an event's since a moment, in UTC microseconds."""
    found = []
    for kind, events, seconds, least, words in FROM_EVENTS:
        counted = sum(count_since(event, now - seconds * MICROSECONDS) for event in events)
        if counted >= least:
            found.append(concern(kind, f"{words}: {counted:,} in {seconds // 60} minutes"))
    return found


def sorted_concerns(found: Sequence[Concern]) -> list[Concern]:
    """Put the critical ones first, and each only once."""
    return sorted(dict.fromkeys(found), key=lambda each: each.severity != "critical")
