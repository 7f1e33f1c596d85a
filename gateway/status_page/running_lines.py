"""Links, peers and the outbox as lines of the status page."""

from gateway.environment import Environment
from gateway.events.forwarder import Forwarder
from gateway.events.times import since
from gateway.privacy.masks import mask
from gateway.status_page.formats import NOTHING
from gateway.status_page.view import Queue, Tone, ViewLine
from protocols.diameter.node_events import PeerState
from protocols.smpp.node_events import LinkState


def outbox(forwarder: Forwarder | None) -> Queue:
    """Return the events that wait for the broker."""
    if forwarder is None:
        return Queue("Event outbox", NOTHING, "No broker is configured; `tpo events` reads them.")
    state = forwarder.state()
    if state.connected:
        return Queue("Event outbox", f"{state.waiting:,}", "The broker is connected.", Tone.GOOD)
    why = f": {mask(state.last_error)}" if state.last_error else ""
    return Queue("Event outbox", f"{state.waiting:,}", f"The broker is not connected{why}.", Tone.BAD)


def link_line(link: LinkState, environment: Environment) -> ViewLine:
    """Return an SMPP link."""
    now = environment.monotonic()
    if link.state.name.startswith("BOUND"):
        pauses = link.paused_until is not None and link.paused_until > now
        state = "suspended" if link.suspended else "throttled" if pauses else "up"
        tone = Tone.WARN if link.suspended or pauses else Tone.GOOD
    else:
        state, tone = ("down", Tone.BAD) if link.wanted else ("taken down", Tone.QUIET)
    remark = "" if link.retry_at is None else f"dialled again in {max(0.0, link.retry_at - now):.0f} s"
    if link.system_id and state != "down":
        remark = f"{link.state.value.replace('_', ' ').upper().replace('BOUND ', '')} to {link.system_id}"
    counters = link.counters
    figures = (
        ("sent", f"{counters.requests_out:,}"),
        ("received", f"{counters.requests_in:,}"),
        ("in flight", f"{link.waiting:,}"),
        ("throttled", f"{counters.throttled:,}"),
        ("doubtful", f"{counters.doubtful:,}"),
    )
    began, age = since(environment, link.since), now - link.since
    return ViewLine(link.name, state, tone, began, age, link.address, mask(remark), figures)


def peer_line(peer: PeerState, environment: Environment) -> ViewLine:
    """Return a Diameter peer."""
    now = environment.monotonic()
    up = peer.state == "open"
    state = "down" if not up else "up" if peer.watchdog == "okay" else "suspect"
    tone = {"up": Tone.GOOD, "suspect": Tone.WARN, "down": Tone.BAD}[state]
    remark = f"realm {peer.realm}" if up else f"{peer.state.replace('_', ' ')}, realm {peer.realm}"
    figures = (
        ("requests", f"{peer.requests_in:,}"),
        ("answers", f"{peer.answers_out:,}"),
        ("in work", f"{peer.outstanding:,}"),
        ("rejected", f"{peer.rejected:,}"),
        ("ours", f"{peer.requests_out:,}"),
    )
    began, age = since(environment, peer.since), now - peer.since
    return ViewLine(peer.identity, state, tone, began, age, peer.address, mask(remark), figures)
