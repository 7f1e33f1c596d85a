"""Answers about gateways themselves: status, health, drain, reload, and the nodes on one store."""

from typing import Literal

import msgspec

from gateway.concerns import Concern
from gateway.events.forwarder_state import ForwarderState
from gateway.events.times import Timestamp
from gateway.settings.diff import Sorted


class NodeProblem(msgspec.Struct, frozen=True):
    """A gateway on the same store that gave no answer, and why: the code and words of a problem."""

    node: str
    code: str
    detail: str


class DrainLeft(msgspec.Struct, frozen=True):
    """What still runs: open sessions of this node, None while they cannot be counted; parts of texts; orders under way."""

    sessions: int | None
    texts: int
    orders: int

    def __bool__(self) -> bool:
        """Whether there is anything, for all that is known."""
        return bool(self.sessions is None or self.sessions or self.texts or self.orders)


class DrainState(msgspec.Struct, frozen=True):
    """What a drain waits for (None before the first look), how many seconds are left, and whether the waiting is over."""

    left: DrainLeft | None
    seconds: float
    over: bool


class ReloadOutcome(msgspec.Struct, frozen=True):
    """What became of a reload: whether it was taken over, what changed, and, where it was not, why.

    `problems` are those of the files, as `file:line: key: message`; `restart` names keys that a running gateway keeps.
    """

    applied: bool
    changed: tuple[str, ...] = ()
    links: Sorted = Sorted()
    peers: Sorted = Sorted()
    hosts: Sorted = Sorted()
    problems: tuple[str, ...] = ()
    restart: tuple[str, ...] = ()


class LaneView(msgspec.Struct, frozen=True):
    """The write lane: units that wait, and what it did since it started (`gateway.store.lane.LaneCounters`)."""

    waiting: int
    batches: int
    units: int
    poisoned: int
    expired: int
    failed_batches: int
    unknown: int
    restarts: int = 0


class PeerView(msgspec.Struct, frozen=True):
    """A Diameter peer as it is now: the fields of `protocols.diameter.node_events.PeerState`; `since` is RFC 3339."""

    identity: str
    realm: str
    state: str
    watchdog: str
    since: Timestamp
    address: str
    outstanding: int
    pending: int
    requests_in: int
    answers_out: int
    requests_out: int
    answers_in: int
    rejected: int
    dropped: int


class HostView(msgspec.Struct, frozen=True):
    """A host of orders: whether it could be reached the last time, and why not."""

    name: str
    reachable: bool
    trouble: str


class BackupView(msgspec.Struct, frozen=True):
    """The continuous backup: until when all that was committed is in its folder, how many seconds ago that is, what went wrong.

    `safe_until` is None before the first whole copy is there.
    """

    folder: str
    safe_until: Timestamp | None
    behind: float
    trouble: str


class GatewayStatus(msgspec.Struct, frozen=True):
    """How the gateway does: its state and what it needs to be ready, the write lane, the Diameter peers, the broker, the hosts.

    `traces` counts those that run; `events` is None where no broker is configured, `backup` where no
    continuous backup is; `concerns` is what an operator
    should look at, the critical first. Where all gateways on the store were asked for, `others` is what they say of themselves,
    and `silent` those that said nothing.
    """

    state: Literal["running", "draining"]
    drain: DrainState | None
    node: str
    since: Timestamp
    ready: dict[str, bool]
    traces: int
    lane: LaneView
    peers: list[PeerView]
    events: ForwarderState | None
    hosts: list[HostView]
    concerns: list[Concern] = []
    others: list["GatewayStatus"] = []
    silent: list[NodeProblem] = []
    backup: BackupView | None = None


class Health(msgspec.Struct, frozen=True):
    """Whether all is well, what was looked at, and what an operator should look at besides."""

    ok: bool
    checks: dict[str, bool]
    concerns: list[Concern]


class NodeView(msgspec.Struct, frozen=True):
    """A gateway on the store, under one of its numbers, and how many rows wait for it.

    `here` is the one that was asked; `gone`: its lease is over and nobody has adopted it. `owner` works on what it had,
    `shards` are the numbers whose rows it works on itself: its own and those that it adopted.
    """

    name: str
    number: int
    state: Literal["here", "live", "gone", "adopted"]
    epoch: int
    owner: str
    renewed_at: Timestamp | None
    shards: list[int]
    texts: int
    orders: int
    events: int


class Nodes(msgspec.Struct, frozen=True):
    """The gateways on the store, by number."""

    rows: list[NodeView]


class NodeAdopted(msgspec.Struct, frozen=True):
    """A gateway that was taken over from, its number, and with how many numbers of others that it had adopted itself."""

    name: str
    number: int
    shards: int


class NodeRetired(msgspec.Struct, frozen=True):
    """A gateway that is listed no more, under how many numbers, and who works on its rows."""

    name: str
    owner: str
    retired: int
