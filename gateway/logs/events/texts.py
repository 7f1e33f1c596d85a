"""Log events of SMPP links, texts, keywords and notices."""

from typing import Final

from gateway.logs.events.event import LogEvent

EVENTS: Final = {
    "smpp.link.up": LogEvent("info", "A link is bound; texts flow.", "Nothing."),
    "smpp.link.left": LogEvent("info", "A link ended in order (unbind), by the SMSC or by us.", "Nothing."),
    "smpp.link.ordered": LogEvent(
        "info",
        "Somebody (`by`) had a link go up or down, be suspended or resumed (`order`), for the `reason` that was given.",
        "Nothing. A link that was brought down stays so until `tpo link up NAME`.",
    ),
    "smpp.link.down": LogEvent(
        "warning",
        "A bound link has ended; `doubtful` texts may have been sent or not, and go the way of the link's policy.",
        "None if it comes back. Else look at the SMSC, the network and, for TLS, the certificates.",
    ),
    "smpp.link.unreachable": LogEvent(
        "warning",
        "A link could not be made; it is dialled again, more and more rarely.",
        "Look at host and port of the link, at the network, and at what the SMSC's operator says of `reason`.",
    ),
    "smpp.link.refused": LogEvent(
        "error",
        "The SMSC refused the bind; `command_status` says why. We ask again after a long while only.",
        "Mend system_id or password, or have the SMSC end an old session of ours; then `tpo link up NAME`.",
    ),
    "smpp.link.throttled": LogEvent(
        "warning",
        "The SMSC has too many texts of ours; the link pauses and goes on by itself, the oldest first.",
        "If it is frequent, set `rate` of the link to what was agreed, or agree on more.",
        per_message=True,
    ),
    "smpp.message.rejected": LogEvent(
        "warning",
        "A request of the SMSC was answered with an error; `command_status` and `reason` say which.",
        "Look up the status in SMPP 3.4 §5.1.3; most of them are settled with the SMSC's operator.",
        per_message=True,
    ),
    "smpp.message.deferred": LogEvent(
        "info",
        "A request of the SMSC came while the link was being left, and was put off: it is sent again when a link is bound.",
        "Nothing.",
        per_message=True,
    ),
    "smpp.message.undecodable": LogEvent(
        "warning",
        "The SMSC sent octets that are no SMPP; the link was closed and is made anew.",
        "Report it to the SMSC's operator with what `tpo trace undecodable` shows.",
        per_message=True,
    ),
    "smpp.handler.failed": LogEvent(
        "error",
        "A message of the SMSC could not be handled for a fault of ours; it was refused for the time being.",
        "Report it with `error`: this is our fault, not the SMSC's.",
        per_message=True,
    ),
    "smpp.query.refused": LogEvent(
        "info",
        "The SMSC would not say what became of a text whose receipt is missing (query_sm); it is not asked again.",
        "Nothing: the text waits for its receipt until an hour after its validity. If it is so for all, set `query_after: 0`.",
        per_message=True,
    ),
    "smpp.query.unsupported": LogEvent(
        "warning",
        "The SMSC does not know query_sm; the link asks for no text until it binds again.",
        "Set `query_after: 0` for the link, or ask the SMSC's operator to allow query_sm.",
    ),
    "sms.text.given_up": LogEvent(
        "warning",
        "A part of a text was sent as often as its link lets it, and the SMSC never answered; it is sent no more.",
        "Ask the SMSC's operator; the text may have arrived. `attempts` of the link says how often it is sent.",
        per_message=True,
    ),
    "sms.switching.requested": LogEvent(
        "error",
        "A customer asks by text for a PAC, a STAC or information about switching; the gateway makes no answer.",
        "The care desk answers it now: the answer is due within a minute. See docs/runbooks/switching-requested.md.",
        per_message=True,
    ),
    "sms.receipt.unmatched": LogEvent(
        "warning",
        "A delivery receipt settled no text: it names none (no_id), or one that is not waited for (unknown_id: also a second "
        "one), or its state is missing or unknown (no_state, unknown_state).",
        "Single ones: nothing. Many: `tpo link show` has the last ones; see the link's `message_id` and `receipt_states`.",
        per_message=True,
    ),
    "sms.answers.limited": LogEvent(
        "warning",
        "A number has had its automatic answers of this hour (messaging.answers_per_hour), and gets none for now.",
        "Nothing, unless there are many: a handset that answers each text by itself, or somebody who tries things out.",
        per_message=True,
    ),
}
