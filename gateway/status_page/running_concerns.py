"""What is not as it should be with the running gateway, as far as it is known without asking the store."""

from collections.abc import Sequence
from typing import Final

from gateway.concerns import Concern, concern
from gateway.status_page.sampling import Sample
from gateway.status_page.view import HostReach, Queue, Stored, Tone, ViewLine

LATE: Final = 0.5
"""Seconds that the event loop may be late before the page says so."""
OLDEST: Final = 300.0
"""Seconds that an event may wait for the broker."""
MINUTE: Final = 12
"""Samples of one minute."""
SLOW: Final = 0.1
"""Seconds of the slowest charging request in a hundred, and below the share of refused ones, before a minute is a concern."""
REFUSED: Final = 0.01
BUSY: Final = 2048
"""Units that wait in the write lane, a quarter of what it takes, above which it is said to be behind."""


def process_concerns(lag: float, *, draining: bool, failing: Sequence[str] = ()) -> list[Concern]:
    """Say what is not as it should be with the process itself."""
    found = [concern("process.draining", "the gateway is draining: it takes nothing new")] if draining else []
    if lag > LATE:
        found.append(concern("process.late", f"the event loop is {lag:.1f} s late"))
    found += [concern("task.failing", f"the task {name} fails again and again", name) for name in failing]
    return found


LINES: Final = {
    ("link", "down"): "link.down",
    ("link", "throttled"): "link.throttled",
    ("link", "suspended"): "link.suspended",
    ("peer", "down"): "peer.down",
    ("peer", "suspect"): "peer.suspect",
}
QUEUES: Final = {
    ("Write lane", Tone.BAD): "store.trouble",
    ("Write lane", Tone.WARN): "lane.behind",
    ("Event outbox", Tone.BAD): "broker.down",
}


def concerns_of(
    links: Sequence[ViewLine],
    peers: Sequence[ViewLine],
    hosts: Sequence[HostReach],
    queues: Sequence[Queue],
    stored: Stored,
) -> list[Concern]:
    """Say what is not as it should be with what the page shows; `gateway.concerns` has the kinds."""
    found = []
    for kind, lines in (("link", links), ("peer", peers)):
        troubled = (Tone.BAD, Tone.WARN)
        found += [
            concern(LINES.get((kind, line.state), f"{kind}.down"), f"{kind} {line.name} is {line.state}", line.name)
            for line in lines
            if line.tone in troubled
        ]
    found += [
        concern("host.unreachable", f"host {host.name} does not answer", host.name)
        for host in hosts
        if not host.reachable
    ]
    found += [
        concern(QUEUES.get((queue.name, queue.tone), "lane.behind"), f"{queue.name}: {queue.note.rstrip('.')}")
        for queue in queues
        if queue.tone in (Tone.BAD, Tone.WARN)
    ]
    if stored.trouble:
        found.append(concern("store.unreadable", "the store cannot be read"))
    if not links and not peers:
        found.append(concern("config.empty", "no link and no peer is configured: nothing is charged, no text goes out"))
    return found


def charging_concerns(samples: Sequence[Sample], held_reports: int, fraud_cases: int = 0) -> list[Concern]:
    """Say what is wrong with charging: a minute of slow or refused requests, and reports that wait for a decision."""
    found, minute = [], samples[-MINUTE:]
    slow = [sample.p99 for sample in minute if sample.p99 is not None]
    if len(minute) == MINUTE and slow and min(slow) > SLOW:
        found.append(
            concern("charging.slow", f"one charging request in a hundred takes {min(slow) * 1000:.0f} ms or more")
        )
    requests, refused = (sum(getattr(sample, name) for sample in minute) for name in ("requests", "refused"))
    if refused > REFUSED * max(requests, refused):
        words = f"{refused / max(requests, refused):.0%} of charging requests were refused in the last minute"
        found.append(concern("charging.refused", words))
    if fraud_cases:
        found.append(concern("fraud.suspected", f"{fraud_cases:,} lines passed a fraud limit and wait for somebody"))
    if held_reports:
        found.append(concern("reports.held", f"{held_reports:,} usage reports wait for a decision"))
    return found


def giving_concerns(days: int) -> list[Concern]:
    """Say that money of causes has waited for most of its time: `days` is how long, 0 where none has."""
    if not days:
        return []
    words = f"money of causes has waited for {days} days, over 80 % of the time in which they must have it"
    return [concern("charity.transmit_due", words)]
