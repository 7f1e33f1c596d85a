"""What the status page shows, as plain values: gathered in one place, written as HTML in another."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from gateway.concerns import Concern
from gateway.status_page.alarms import RecentAlarm
from gateway.status_page.sampling import Sample


class Tone(StrEnum):
    """How a state is meant; it is always said in words too."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    QUIET = "quiet"


class ViewLine(msgspec.Struct, frozen=True):
    """An SMPP link or a Diameter peer; `age` is the seconds since it is in its state, `since` the same as RFC 3339."""

    name: str
    state: str
    tone: Tone
    since: str
    age: float
    address: str
    remark: str
    figures: tuple[tuple[str, str], ...]


class Queue(msgspec.Struct, frozen=True):
    """Something that waits; `note` says what it is or what is wrong with it."""

    name: str
    waiting: str
    note: str
    tone: Tone = Tone.QUIET


class Doubtful(msgspec.Struct, frozen=True):
    """A text that may have been sent or not, its receiver masked; `at` in microseconds."""

    id: str
    receiver: str
    link: str
    at: int


class Order(msgspec.Struct, frozen=True):
    """An order about a SIM, its numbers masked; `at` as RFC 3339."""

    id: str
    kind: str
    state: str
    card: str
    host: str
    at: str
    error: str


class HostReach(msgspec.Struct, frozen=True):
    """A host network's activation interface, and whether it answered the last time."""

    name: str
    reachable: bool


class CauseSum(msgspec.Struct, frozen=True):
    """A published figure of giving: the cause's name, and the amount in micro-units."""

    name: str
    currency: str
    amount: int


class Given(msgspec.Struct, frozen=True):
    """What was published of the latest month, such as `October 2026`; `month` is empty before the first publication."""

    month: str = ""
    sums: Sequence[CauseSum] = ()


class Stored(msgspec.Struct, frozen=True):
    """What was read from the store, which may be in trouble: then `trouble` says so, and the rest is empty."""

    texts: Sequence[tuple[str, str]] = ()
    doubtful: Sequence[Doubtful] = ()
    orders: Sequence[Order] = ()
    given: Given = Given()
    trouble: str = ""


class Phase(msgspec.Struct, frozen=True):
    """A part of the write lane's time in the last ten minutes: seconds in all, and of one batch in a hundred at least."""

    name: str
    seconds: float
    p99: float | None


class View(msgspec.Struct, frozen=True):
    """Everything that the page shows at one moment (`now`, UTC microseconds)."""

    operator: str
    node: str
    version: str
    now: int
    age: float
    state: str
    concerns: Sequence[Concern]
    links: Sequence[ViewLine]
    peers: Sequence[ViewLine]
    samples: Sequence[Sample]
    phases: Sequence[Phase]
    queues: Sequence[Queue]
    hosts: Sequence[HostReach]
    orders_running: int
    stored: Stored
    recent_alarms: Sequence[RecentAlarm]
