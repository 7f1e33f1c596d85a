"""Every event that our logs tell of: how bad it is, what it means, what to do. docs/log-events.md is made from it.

`python -m gateway.logs.catalogue` writes that page; a test compares it, and looks for names that are missing here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

PAGE: Final = Path("docs/log-events.md")


class LogEvent(NamedTuple):
    """The level that an event is logged at, one sentence on what it means, and what an operator does about it.

    One that is told `per_message` (or per session, batch, attempt of a stranger) may come in storms: its lines are limited
    (gateway.logs.limit). What tells of the life of a part, an order or a card is never left out.
    """

    level: str
    meaning: str
    action: str
    per_message: bool = False


EVENTS: Final[dict[str, LogEvent]] = {
    # The process
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
    # Diameter
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
    # Texts
    "smpp.link.up": LogEvent("info", "A link is bound; texts flow.", "Nothing."),
    "smpp.link.left": LogEvent("info", "A link ended in order (unbind), by the SMSC or by us.", "Nothing."),
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
    # Charging
    "charging.answer.mismatch": LogEvent(
        "error",
        "A request that was answered before came again with other content; it got the old answer, and what it reports is held.",
        "The client reuses CC-Request-Numbers: report it to the host's operator, and decide with `tpo usage review`.",
        per_message=True,
    ),
    "charging.subscriber.mismatch": LogEvent(
        "warning",
        "A request names an IMSI and a phone number of two different subscribers; the IMSI was believed.",
        "Compare the host's records with `tpo subscriber show`; a number was probably moved on one side only.",
        per_message=True,
    ),
    "charging.wallet.overdrawn": LogEvent(
        "warning",
        "Usage that was reported cost more than the wallet held; it was charged all the same.",
        "If it is frequent, make charging.slice smaller.",
        per_message=True,
    ),
    "fraud.suspected": LogEvent(
        "warning",
        "A line's use passed a fraud limit of its plan: `kind` says which one, `barred` whether the line is barred by it.",
        "See docs/runbooks/fraud-suspected.md: look at it (`tpo fraud list`), then `tpo fraud clear` the `case`.",
    ),
    "charging.usage.absorbed": LogEvent(
        "warning",
        "Usage that was reported is beyond the customer's bill limit or cap abroad; the part beyond it is not billed, and "
        "stands in the account `absorbed`.",
        "If it is frequent, make charging.slice smaller, and ask the host's operator why its reports come late.",
        per_message=True,
    ),
    "charging.session.foreign": LogEvent(
        "warning",
        "A client used the Session-Id of another client's session; it was refused, and nothing was charged.",
        "Report it to the host's operator: Session-Ids are to be unique everywhere.",
        per_message=True,
    ),
    "charging.plan.unknown": LogEvent(
        "warning",
        "A subscriber's plan is not in plans.yaml, or has another currency than the wallet; the request was refused.",
        "Put the plan back, or give the subscriber another with `tpo subscriber plan`.",
        per_message=True,
    ),
    "charging.session.service": LogEvent(
        "warning",
        "A client went on with a session under another Service-Context-Id; the session's own service counts.",
        "Report it to the host's operator. Usage that counts in other units is held (`tpo usage review list`).",
        per_message=True,
    ),
    "charging.network.unpriced": LogEvent(
        "warning",
        "A customer is in a network that is neither at home nor in a zone of the plan; quota is refused (5031), usage is held.",
        "Put the network (MCC and MNC) into a zone of the plan (`roaming`), then `tpo reload` and `tpo usage review`.",
        per_message=True,
    ),
    "charging.usage.inconsistent": LogEvent(
        "warning",
        "A usage report contradicts itself; what was charged stands in the usage record.",
        "Report it to the host's operator with the Session-Id.",
        per_message=True,
    ),
    "charging.report.held": LogEvent(
        "warning",
        "A client reported more than was granted and than any network carries in the time: neither charged nor lost.",
        "`tpo usage review list` shows it: ask the peer's operator, then book or drop it (docs/runbooks/reports-held.md).",
        per_message=True,
    ),
    "charging.report.unbooked": LogEvent(
        "warning",
        "Usage was reported that could not be booked: nobody has its numbers, or the plan has no price. It is held.",
        "`tpo usage review list` shows it: bring the line or the plan in and book it, or drop it.",
        per_message=True,
    ),
    "charging.unit.unpriced": LogEvent(
        "warning",
        "A client asked for quota, or reported usage, in units that the service has no price for, such as seconds of data: it "
        "was refused (5031); what it reported is held.",
        "Have the client count in octets (data), seconds (calls) or messages (texts); `tpo usage review list` shows reports.",
        per_message=True,
    ),
    "charging.termination.repeated": LogEvent(
        "warning",
        "A client ended a session again under another CC-Request-Number with the same usage: it is booked once.",
        "Report it to the host's operator: a repeat has the number of what it repeats.",
        per_message=True,
    ),
    "charging.review.full": LogEvent(
        "error",
        "So many reports wait for a decision (`charging.review.most`) that a further one was only counted.",
        "Decide on those that wait (`tpo usage review`); find out which peer sends them, and why.",
        per_message=True,
    ),
    "balance.bundles.renewed": LogEvent(
        "info",
        "Bundles whose period was over were renewed; those of `unpaid` were not, as the wallet could not pay.",
        "Nothing; where `unpaid` is high, look whether customers' payments come in (`tpo ledger months`).",
    ),
    "bill.close.running": LogEvent(
        "info",
        "A month is being closed into bills; so many `bills` were written before.",
        "Nothing: `tpo bill closes` shows how far it is.",
    ),
    "bill.close.failed": LogEvent(
        "error",
        "A month cannot be closed further now; `detail` says why. The bills that are written stay, and it goes on by itself.",
        "See to the store; what runs is tried again each minute, and `tpo bill close` shows it.",
    ),
    "bill.dunning.done": LogEvent(
        "info",
        "Lines whose bills are overdue, or were paid, went to another state: how many to `overdue`, `suspended`, `written_off` "
        "and `open`.",
        "Nothing; `tpo bill overdue` lists those that owe.",
    ),
    "bill.dunning.refused": LogEvent(
        "warning",
        "A line whose bill is not paid could not be suspended, or one that has paid not be resumed; `detail` says why.",
        "Look at the card (`tpo sim show`, `tpo order list`); it is tried again after a day.",
    ),
    "bill.month.closed": LogEvent(
        "info", "A month is closed: every line has its bill.", "Nothing: `tpo bill list` and `tpo bill show` have them."
    ),
    "bill.month.reopened": LogEvent(
        "warning",
        "A closed month was reopened: one person asked for it, another one confirmed.",
        "Close it again by `tpo bill close`: until then no later month can be.",
    ),
    "usage.rerated": LogEvent(
        "info",
        "Usage of a plan was priced anew by `tpo usage rerate`: so many records of a page of sessions.",
        "Nothing: somebody asked for it. The wallets have moved; `tpo ledger journal` shows by what.",
    ),
    "charging.session.expired": LogEvent(
        "info",
        "A session ended without a word from the client; its reservation was given back.",
        "Nothing, unless there are many: then the client loses its final reports.",
        per_message=True,
    ),
    "charging.session.reauthorised": LogEvent(
        "info", "A client was asked to report a session now (RAR), and will.", "Nothing.", per_message=True
    ),
    "charging.session.aborted": LogEvent(
        "info", "A client was asked to end a session (ASR), and will.", "Nothing.", per_message=True
    ),
    "charging.session.lost": LogEvent(
        "info",
        "A client was asked about a session that it does not have; the session was closed, its reservation given back.",
        "Nothing, unless there are many: then the client loses its final reports.",
        per_message=True,
    ),
    "charging.client.refused": LogEvent(
        "warning",
        "A client will not report or end a session, as `request` (RAR or ASR) asked; `result_code` says why.",
        "Look up the result code in RFC 6733 §7.1. What changed takes effect at the session's next report.",
        per_message=True,
    ),
    "charging.session.silent": LogEvent(
        "info",
        "A line ended, and `closed` sessions of it were told so without a last report; what they held was given back.",
        "Nothing: a report that comes late is charged all the same.",
        per_message=True,
    ),
    # SIM cards and orders
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
    # Giving
    "charity.month.published": LogEvent(
        "info",
        "The sums of giving of a month (`period`) were published, as `figures` events `charity/accrued`.",
        "Nothing: they are never corrected; what comes later belongs to the next month.",
    ),
    "charity.month.confirmed": LogEvent(
        "info",
        "The tenths of a month (`period`) that customers have paid for were confirmed, in `moves` sums by cause.",
        "Nothing. What is not paid for yet is confirmed by a later month.",
    ),
    "charity.confirmed.released": LogEvent(
        "info",
        "Sums (`moves`) that were confirmed before became payable, or are no more, as their causes may be paid by now.",
        "Nothing. What became payable is paid with the next payout.",
    ),
    "charity.closed.asked": LogEvent(
        "info",
        "The customers of this gateway who chose a `cause` that is closed, and has no successor, were asked for another one.",
        "Ask its regulator or trustees who succeeds it. `tpo charity causes` says until when its customers may choose.",
    ),
    "charity.payout.made": LogEvent(
        "info",
        "Somebody (`by`) made a payment file to causes: `payout`, with `payments` payments in `currency`.",
        "Somebody else looks through it and approves it by its hash: `tpo charity payout PERIOD --approve HASH`.",
    ),
    "charity.payout.approved": LogEvent(
        "info",
        "Somebody (`by`) approved the payment file `payout`; its `payments` payments are instructed.",
        "Give the file to the bank, and read its statement by `tpo charity paid`.",
    ),
    "charity.bank.changed": LogEvent(
        "warning",
        "Somebody (`by`) proposed or approved (`step`) to which account a `cause` is paid in a `currency` (`details`).",
        "Ask the cause, by a number known from before, whether it has a new account. A change counts after seven days.",
    ),
    "charity.payments.settled": LogEvent(
        "info",
        "A bank's file was read (`by`): payments to causes are `paid`, `returned`, `rejected`; `received` lines are of "
        "matchers and of the company, `unmatched` ones of nobody.",
        "Where something was returned or rejected: ask the cause for its account. The command tells what is unmatched.",
    ),
    "charity.account.received": LogEvent(
        "info",
        "Somebody (`by`) booked what came into the charity account (`kind`: `match_paid`, `transfer`) or left it (`..._back`).",
        "Nothing. `tpo charity cover DAY` holds the books against what the bank says.",
    ),
    "charity.register.imported": LogEvent(
        "info",
        "An extract of a charity register (`regulator`) as of `extracted_on` was taken; `standing` of our causes are in it, "
        "`missing` are not, or were removed.",
        "Those are not paid any more: `tpo charity causes` names them; ask the regulator who takes their money.",
    ),
    "charity.transmit.due": LogEvent(
        "warning",
        "Money of `causes` causes has waited for over 80 % of the days in which they must have it; the oldest `days` days.",
        "Pay it: docs/runbooks/charity-transmit-due.md.",
    ),
    "charity.evidence.made": LogEvent(
        "info",
        "Somebody (`by`) had an evidence pack made (`kind`: bill or audit) of `bills` bills of a month (`period`).",
        "Nothing, if it was needed: it is confidential. The table access_log has it, too.",
    ),
    "charity.evidence.refused": LogEvent(
        "error",
        "An evidence pack was not made: a `row` of a `table` behind a bill is not as it was booked.",
        "Find out what was changed: `tpo ledger check` names all such rows; docs/proof.md says what they mean.",
    ),
    "charity.profit.booked": LogEvent(
        "info",
        "The share of a profit (`period`) was booked (`by`) for `causes` causes.",
        "Nothing: it is paid with the next payout.",
    ),
    "charity.gift.refused": LogEvent(
        "warning",
        "A `gift` that was held could not be made: the line used the money meanwhile, beyond its balance.",
        "Nothing: the gift is over, and nothing was taken for it. The customer may be told, and may give again.",
    ),
    "ledger.sealed": LogEvent(
        "info",
        "The chain of evidence was sealed for a `day`, at link `links`: the seal is in the store, in the event "
        "`ledger/sealed`, and in the file `seals.jsonl` beside the privacy key.",
        "Keep a copy of the seals where nobody can write who can write the store: `tpo ledger check --seals FILE` holds the "
        "store against it.",
    ),
    "ledger.tax.booked": LogEvent(
        "info",
        "The tax within the prices of a `day` that is over was booked, at `rates` rates: of charges and sales, less what was "
        "given back.",
        "Nothing. `tpo ledger tax PERIOD` shows what a month comes to.",
    ),
    "ledger.tax.added": LogEvent(
        "info",
        "The taxes on top of prices were taken from the wallets of `lines` lines for the month `period`. `unknown`: how many "
        "more there are of which nobody knows where they are taxed.",
        "If there are unknown ones, give them an area (`tpo subscriber tax-area`): `tpo config check` counts them by plan.",
    ),
    "charity.causes.seen": LogEvent(
        "info",
        "Somebody (`by`) looked at who gives to whom by `action`; `subject` is whose choice it was, as a pseudonym of logs.",
        "Nothing, if it was needed. The table access_log keeps each look, with the subscriber's id.",
        per_message=True,
    ),
    "subscriber.erased": LogEvent(
        "info",
        "A customer whose line had ended was erased by `by`: `rows` were forgotten. The table erasures keeps who asked.",
        "Nothing here. Backups of before still name the customer: docs/proof.md says how long, and what to do after a restore.",
    ),
    "subscriber.gifts.forgotten": LogEvent(
        "info",
        "Gifts and Gift Aid declarations of a customer who was erased were kept as tax law asks, and are gone now: `rows`.",
        "Nothing. docs/proof.md says how long they are kept.",
    ),
    # Events
    "events.broker.up": LogEvent("info", "The broker is connected; events flow.", "Nothing."),
    "events.broker.down": LogEvent(
        "warning",
        "The broker can't be reached; events wait in the store, charging goes on.",
        "Look at the broker. Nothing is lost while the disk has room.",
    ),
    # The store
    "store.schema.newer": LogEvent(
        "info",
        "The store was upgraded by a later program to `version`; this one, made for version `program`, may go on with it.",
        "Nothing, if gateways are being upgraded one by one or the program was rolled back; else install the later program.",
    ),
    "store.backup.copied": LogEvent(
        "info",
        "A whole copy of the store is in the backup's `folder`, of so many `octets`; from now on what changes is added to it.",
        "Nothing.",
    ),
    "store.backup.broken": LogEvent(
        "warning",
        "What changed cannot be added to the backup any more, `detail` says why; a new one begins with a whole copy.",
        "Nothing, if a program made a checkpoint by hand. Else see that the folder's disk keeps up.",
    ),
    "store.backup.failed": LogEvent(
        "warning",
        "A whole copy, or what was committed last, could not be written to the backup's folder; `detail` says why.",
        "See docs/runbooks/backup-behind.md. A copy is tried again after a minute.",
    ),
    "store.month.made": LogEvent(
        "info", "A month's `partition` of the journal or of usage is there, before the month begins.", "Nothing."
    ),
    "store.month.dropped": LogEvent(
        "info",
        "A `partition` of usage, or a sealed month's file of it, went as a whole: all of it is past `retention.usage`.",
        "Nothing.",
    ),
    "store.month.sealed": LogEvent(
        "info",
        "A month that is over, `period`, stands in files of its own now, of `octets` together; its rows leave the store next.",
        "Nothing.",
    ),
    "store.month.moved": LogEvent(
        "info",
        "The last of a sealed month's rows has left the store, of `rows` since the gateway was started.",
        "Nothing.",
    ),
    "store.sealed.copied": LogEvent("info", "A sealed month's `file` is in the backup's folder.", "Nothing."),
    "store.sealed.missing": LogEvent(
        "error",
        "A sealed month's `file` is not there, or not whole: reports that need it fail, and `tpo ledger check` names it.",
        "See docs/runbooks/sealed-months.md: put it back from a backup.",
    ),
    "store.sealing.failed": LogEvent(
        "warning",
        "A month could not be sealed, copied to the backup or moved out of the store, `detail` says why; it is tried again "
        "each minute, and the store keeps its rows until then.",
        "See docs/runbooks/sealed-months.md.",
    ),
    "store.month.missing": LogEvent(
        "warning",
        "Rows are in the default partition, `table`: they are of months that no partition is there for.",
        "See that the clocks of the gateways are right. The rows count in everything, and move when their month is made.",
    ),
    "store.month.put_off": LogEvent(
        "warning",
        "For an hour no month of this `table` could be made or dropped: a report reads it, or it belongs to another user.",
        "End the report (pg_stat_activity), or make the user of `store.url` the owner of `transfers`, `usage` and their parts.",
    ),
    "store.months.waiting": LogEvent(
        "warning",
        "A server's `table` is too large to be divided into months by itself; it goes on as one.",
        "Run `tpo db partition` beside the gateway, at a quiet time: docs/sizing.md.",
    ),
    "store.unit.poisoned": LogEvent(
        "error",
        "One unit of work can't be stored; it alone was refused, the others of its batch were done.",
        "Report it with its `detail`: this is our fault, not the peer's.",
        per_message=True,
    ),
    "store.stalled": LogEvent(
        "error",
        "The store does not come back from a batch: requests that waited for it past their deadline were answered 3004, or had "
        "their connections closed where the commit had begun.",
        "Look at the disk, or at the database server: it hangs, or another program holds its locks.",
    ),
    "store.lane.ended": LogEvent(
        "error",
        "The process of the write lane has ended by surprise (`exit_code`, negative for a signal). Connections of peers with "
        "one of its `units` were closed, so that they ask again; what comes is refused until it is back.",
        "docs/runbooks/lane-restarts.md: see who killed it (the kernel, short of memory?), or report it with the lines before.",
    ),
    "store.lane.back": LogEvent(
        "warning",
        "The write lane has a process again; `restarts` counts since the start.",
        "Nothing, if it stays the only time: docs/runbooks/lane-restarts.md.",
    ),
    "store.lane.lost": LogEvent(
        "critical",
        "The process of the write lane died five times within a minute: the gateway ends; its service manager starts it anew.",
        "docs/runbooks/lane-restarts.md. With `store.lane: thread` it works without that process, and more slowly.",
    ),
    "store.batch.slow": LogEvent(
        "warning",
        "One batch of `units` took longer than a second; its parts stand beside it in milliseconds (docs/metrics.md).",
        "committing, saving, loading: the disk or the server is slow. deciding: the processor is. waiting: a crowd.",
        per_message=True,
    ),
    "store.fenced": LogEvent(
        "critical",
        "Another gateway has taken over what this one worked on, or a second process runs under its name: nothing is committed "
        "any more, and the gateway ends. What it acknowledged is on disk.",
        "See docs/runbooks/node-fenced.md: find out why it gave no sign of life for so long. Its service starts it again.",
    ),
    "node.adopted": LogEvent(
        "warning",
        "This gateway goes on with the texts, orders and events of `nodes`, which gave no sign of life; `shards` says how many "
        "numbers came with it.",
        "See docs/runbooks/node-adopted.md: look at the gateway that is gone.",
    ),
    "node.stalled": LogEvent(
        "warning",
        "A transaction of another gateway (its `numbers` in `tpo node list`) had not gone on for `seconds`, and kept rows from "
        "the others; this one had the server end it. What it was to do was not committed.",
        "Look at that gateway: its process or its machine stands still. See docs/runbooks/node-adopted.md.",
    ),
    "node.renumbered": LogEvent(
        "warning",
        "What this gateway had before its start was taken over by another one (`adopter`) meanwhile, and stays there; it goes "
        "on under a new `number`.",
        "See docs/runbooks/node-fenced.md.",
    ),
    "store.unavailable": LogEvent(
        "error",
        "A batch couldn't be written, and was undone; its requests got no answer or a refusal, and come again.",
        "Look at the disk (full? read-only?) or the database server.",
        per_message=True,
    ),
    "store.corrupt": LogEvent(
        "critical",
        "The store was overwritten: `detail` says what no longer fits. Nothing is read or written until a restart, which first"
        " reads all of the store and refuses to start while it is damaged.",
        "Stop the gateway, keep a copy of all of the store's files, find out who wrote there, and mend or restore the store.",
    ),
    "store.replaced": LogEvent(
        "critical",
        "The store's file, or its log, was removed or replaced while the gateway had it open. Nothing is read or written any"
        " more, not even if it comes back: only a restart looks at what is there.",
        "Put back the file that was there (a removed one is still in /proc/PID/fd while the process lives), then restart.",
    ),
    "store.outcome_unknown": LogEvent(
        "critical",
        "Nobody knows whether a batch was written; nothing was answered, and the peers repeat their requests.",
        "Look at the database server and the network to it. No correction is needed.",
        per_message=True,
    ),
}
"""The table of all log events, in the order in which the page shows them."""


def page() -> str:
    """Return docs/log-events.md."""
    lines = [
        "# What the log says, and what to do",
        "",
        "Every line is one event: a constant name with fields. Numbers and keys are masked. This page is made from",
        "`gateway/logs/catalogue.py` by `python -m gateway.logs.catalogue`.",
        "",
        "An event marked \u2021 comes with each message and is not always written: after 10 lines of a kind (the event and its",
        "peer, link or host) there is one every 5 seconds, and `suppressed=N` on it stands for N more like it. The metric",
        "`tpo_alarms_total` counts every one that is worse than information.",
        "",
        "| event | level | what it means | what to do |",
        "|---|---|---|---|",
        *(_row(name, event) for name, event in EVENTS.items()),
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, event: LogEvent) -> str:
    mark = " \u2021" if event.per_message else ""
    return f"| `{name}`{mark} | {event.level} | {event.meaning} | {event.action} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
