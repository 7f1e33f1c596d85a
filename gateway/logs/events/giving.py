"""Log events of causes, gifts, payouts and what is published of giving."""

from typing import Final

from gateway.logs.events.event import LogEvent

EVENTS: Final = {
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
}
