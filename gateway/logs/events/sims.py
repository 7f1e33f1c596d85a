"""Log events of SIM cards, orders and the hosts that carry them out."""

from typing import Final

from gateway.logs.events.event import LogEvent

EVENTS: Final = {
    "order.failed": LogEvent(
        "error",
        "An order gave up at a step that it tried often, or that the host refused when it could not be taken back.",
        "Read `tpo order show ID`, mend what it names, then `tpo order retry ID` or `tpo order cancel ID`.",
    ),
    "order.compensated": LogEvent(
        "warning",
        "The host refused an order, and all that was done was taken back; `detail` is its reason.",
        "Read `tpo order show ID`; place a new order once the reason is gone.",
    ),
    "order.stuck": LogEvent(
        "error",
        "An order could not be carried on by a fault of ours or of the store; it is tried again.",
        "If it goes on, report `detail`; nothing was lost.",
    ),
    "host.unreachable": LogEvent(
        "warning",
        "A host does not answer; its orders wait and are tried again.",
        "Look at the host and the way to it; `tpo order list --state running` shows what waits.",
    ),
    "host.back": LogEvent("info", "A host that was unreachable answers again.", "Nothing."),
    "charging.client.unreachable": LogEvent(
        "warning",
        "A client could not be asked to report or end a session, or did not answer in time; `detail` says why.",
        "Look at the peer with `tpo status`. What changed takes effect at the session's next report.",
        per_message=True,
    ),
    "charging.client.restarted": LogEvent(
        "warning",
        "A client's Origin-State-Id grew, so it has lost its sessions: `sessions` were closed and gave back what they held.",
        "Nothing, if the restart was meant; else ask the peer's operator. Late reports are charged all the same.",
    ),
}
