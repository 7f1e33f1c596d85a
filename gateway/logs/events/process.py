"""Log events of the process and its clock, drains, traces, requests over HTTP, and other gateways' requests."""

from typing import Final

from gateway.logs.events.event import LogEvent

EVENTS: Final = {
    "daemon.starting": LogEvent("info", "The gateway reads its settings and opens its store.", "Nothing."),
    "daemon.ready": LogEvent("info", "Every listener is open; requests are answered.", "Nothing."),
    "daemon.stopping": LogEvent(
        "info", "The gateway was told to stop: it takes no new requests and finishes those it has.", "Nothing."
    ),
    "daemon.draining": LogEvent(
        "info",
        "The gateway takes in nothing new and waits at most `seconds` for what runs; then it stops.",
        "Nothing: `tpo status` tells what it waits for; SIGTERM ends the waiting.",
    ),
    "daemon.drain.incomplete": LogEvent(
        "warning",
        "The time to drain was over while `sessions`, `texts` or `orders` still ran.",
        "Nothing: they are in the store, and go on when this gateway, or for sessions another one, is there.",
    ),
    "daemon.stopped": LogEvent("info", "All is on disk, all connections are closed.", "Nothing."),
    "daemon.stop.incomplete": LogEvent(
        "warning",
        "Something could not be closed in order; `detail` says what. What was acknowledged is on disk.",
        "Nothing, unless it is so at every stop: then report it.",
    ),
    "clock.stepped": LogEvent(
        "warning",
        "The machine's clock stepped by so many `seconds`, back if they are negative. Sessions, texts and orders go on; usage "
        "that came without a time of its own is dated by the new clock from here on.",
        "See docs/runbooks/clock-stepped.md: find out which of both times was right, and what was charged by the other.",
    ),
    "clock.behind": LogEvent(
        "warning",
        "At the start the clock is so many `seconds` behind the latest entry of the journal: it went back meanwhile, or was "
        "ahead before.",
        "See docs/runbooks/clock-stepped.md.",
    ),
    "daemon.timer.failed": LogEvent(
        "warning",
        "Work that is done at intervals failed, and is tried again; `timer` names it.",
        "If it goes on, look at the store and the broker.",
    ),
    "daemon.task.failed": LogEvent(
        "error",
        "An error that nobody expected ended a background `task`; it is begun again, after ever longer waits if it goes on so.",
        "Report it with its traceback: this is our fault. Five of a task within a minute take readiness (`/readyz` names it).",
    ),
    "trace.started": LogEvent(
        "info",
        "Somebody (`by`) listens to what goes over the wire about `subject`; `content`: with numbers and texts in clear.",
        "Nothing, if you know of it. `tpo trace list` shows all, `tpo trace stop` ends them.",
    ),
    "trace.ended": LogEvent("info", "A trace has ended; `reason` says why.", "Nothing. A `file` is whole."),
    "daemon.crashed": LogEvent(
        "critical",
        "An error that nobody expected ended a task, a thread or the process.",
        "Keep the lines around it and report it. The store is safe: start the gateway again.",
    ),
    "node.request.done": LogEvent(
        "info",
        "This gateway did an `action` that changes something for another one (`from` is its number), as `by` asked there.",
        "Nothing.",
        per_message=True,
    ),
    "node.request.refused": LogEvent(
        "warning",
        "What another gateway asks for (`from` is its number) does not open under this one's key, and was not done.",
        "Give all gateways of a store the same `privacy.key`; if they have it, find out who else writes to the store.",
        per_message=True,
    ),
    "node.request.failed": LogEvent(
        "error",
        "This gateway failed at an `action` that another one asked for; `detail` says at what.",
        "Report it; look how things stand before asking again.",
        per_message=True,
    ),
    "http.request.failed": LogEvent(
        "error",
        "A request on `route` met a mistake of ours and was answered 500; `detail` names the line, nothing of the request.",
        "Report it with this line. What the request wanted may have been done: look how it stands.",
        per_message=True,
    ),
    "api.token.refused": LogEvent(
        "warning",
        "From `address` came a wrong token over HTTP: the first in ten minutes, or so many (`wrong`) that it has to wait now.",
        "If you know who it is, give it the right token of api.tokens; else see that the port is open only to whom it must be.",
        per_message=True,
    ),
    "api.login.in_clear": LogEvent(
        "warning",
        "A browser on `address` logged in to the status page over plain HTTP: whoever is on its way can read the token.",
        "Put a proxy with TLS before api.listen, and renew the token.",
        per_message=True,
    ),
    "config.warning": LogEvent(
        "warning", "A setting works, but deserves a look.", "Read `problem`; `tpo config check` prints it too."
    ),
    "config.reloaded": LogEvent(
        "info", "A changed configuration was checked and is in force now; `changed` names its sections.", "Nothing."
    ),
    "config.refused": LogEvent(
        "error",
        "A reload was asked for, but the configuration can't be used; the old one stays in force, whole.",
        "Mend what `problem` names, run `tpo config check`, then `tpo reload`.",
    ),
    "config.restart.needed": LogEvent(
        "error",
        "A reload was asked for, but `setting` can't change while the gateway runs; nothing was taken over.",
        "Restart the gateway, or put `setting` back and run `tpo reload` for the rest.",
    ),
    "log.library": LogEvent(
        "warning",
        "A library that we use has something to say; its words are in `message`.",
        "Read `message`.",
        per_message=True,
    ),
}
