"""Log events of charging, balances, prices, bills and the books."""

from typing import Final

from gateway.logs.events.event import LogEvent

EVENTS: Final = {
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
        "Look at the card (`tpo sim show`, `tpo order list`); it is tried again after a day. Where it names a row, "
        "that row stops no other line.",
    ),
    "bill.payment.alike": LogEvent(
        "warning",
        "A payment of a `bill` was booked by its `reference`, and another channel told of as much for the same line a few days "
        "before (`alike`): both are booked, since nothing says that they are one.",
        "Ask the payer or the bank. Where it is one payment, give the money back by the way that it came.",
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
}
