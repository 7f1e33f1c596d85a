"""Log events of Diameter peers and their connections."""

from typing import Final

from gateway.logs.events.event import LogEvent

EVENTS: Final = {
    "diameter.peer.up": LogEvent("info", "A peer has exchanged capabilities and may send requests.", "Nothing."),
    "diameter.peer.down": LogEvent(
        "warning",
        "The connection to a peer is gone; `reason` says why.",
        "None if it comes back. Else look at the peer, the network and, for TLS, the certificates.",
    ),
    "diameter.peer.left": LogEvent(
        "info", "A peer said goodbye in order (DPR), or we did; `reason` and `cause` say why.", "Nothing."
    ),
    "diameter.peer.rejected": LogEvent(
        "warning",
        "Somebody who is not a peer of ours, or not from its address, wanted to connect.",
        "If it should be let in, add it to diameter.peers; else find out who it is.",
        per_message=True,
    ),
    "diameter.peer.unreachable": LogEvent(
        "warning",
        "A peer that we dial cannot be reached, or refused us; we try again, more and more rarely.",
        "Look at `connect` of the peer, at the network, and at what the peer's operator says of `reason`.",
    ),
    "diameter.peer.suspected": LogEvent(
        "warning",
        "A peer did not answer the watchdog in time (RFC 3539); requests go to another one, if there is one.",
        "Nothing, if it recovers. Else the connection ends by itself: look at the network and the peer's load.",
    ),
    "diameter.peer.recovered": LogEvent("info", "A suspected peer answers the watchdog again.", "Nothing."),
    "diameter.peer.restarted": LogEvent(
        "info",
        "A peer says on a connection that stands that it has lost its sessions: its `origin_state_id` grew (RFC 6733 §8.16).",
        "Nothing; `charging.client.restarted` says what was closed.",
    ),
    "diameter.handler.failed": LogEvent(
        "error",
        "A request could not be handled for a fault of ours; it was answered 5012.",
        "Report it with `error`: this is our fault, not the peer's.",
        per_message=True,
    ),
    "diameter.message.rejected": LogEvent(
        "warning",
        "A request was answered with an error; `result_code` and `reason` say which.",
        "Look up the result code in RFC 6733 §7.1; most of them are settled with the peer's operator.",
        per_message=True,
    ),
    "diameter.requests.refused": LogEvent(
        "warning",
        "A peer's requests are answered 3004 unread: it sends more than is done, or one side is leaving. `requests`: how many "
        "since the line before, a second at most; tpo_diameter_rejected_total counts all.",
        "If it lasts, look where the time goes (tpo_lane_phase_seconds, the disk), give the peer another gateway beside this "
        "one, or have its rate limited.",
    ),
    "diameter.message.deferred": LogEvent(
        "info",
        "A new session was answered 3004 because this gateway drains: its client turns to another gateway.",
        "Nothing.",
        per_message=True,
    ),
    "diameter.message.undecodable": LogEvent(
        "warning",
        "A peer sent octets that are no Diameter message; its connection was closed.",
        "Report it to the peer's operator with what `tpo trace undecodable` shows.",
        per_message=True,
    ),
}
