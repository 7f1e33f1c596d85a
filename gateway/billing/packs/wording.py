"""What a pack says to whoever opens it: how to check it, what it proves, and what it does not."""

from typing import Final

README: Final = """\
# Evidence of {what}

Confidential. It names no customer and no number; who holds somebody's bill beside it may still find that bill's rows by their
sums. Keep it as you would keep the bills, and delete it when you are done.

    python3 verify.py [FOLDER] --key KEY [--commitment FILE] [--seals FILE]

needs Python 3.11 or newer and nothing else, and no network. Take verify.py from the gateway's own source where you can: a pack
that lies could bring a verifier that lies. KEY is the company's public key, which you have from elsewhere.

| file | a row is |
|---|---|
| bills.jsonl | a bill, or a credit note of its line: sums of use and of what moved the wallet; its place in the month's tree |
| usage.jsonl | one use: how much, by which rate, its price |
| rates.jsonl | the terms of a rate, and the SHA-256 of the price list that it stands in |
| entries.jsonl | a double entry of the customer's wallet: charges, sales, payments, gifts |
| tenths.jsonl | a part of a tenth: of which entry, by which rule and share, how much |
| sessions.jsonl | a data session or call; `exact`: all of it is here, so that its tenths are checked to the last millionth |
| policies.jsonl | a rule of the tenth: `rate` of the base, and the `tax` in that, in hundredths of a per cent; `leaves_out` |
| payments.jsonl | how far a bill's gift to a cause came: confirmed, and payments with the SHA-256 of their bank file |
| seals.jsonl | what was signed at the end of a day: the head of a node's chain, and `rows`, the root of the tree of its rows |
| commitment.json | the tree of the month's bills: its root, how many there are, what they gave; signed apart |
| statement.json | what this pack is of: period, seed, how many were drawn |
| CLAIM.txt | the sentence that the rows prove |

Amounts are whole millionths of the currency, days are UTC. Labels stand in place of identifiers, and are others in each pack;
a row's `salt`, place and way to a root (`sealed`: node, day, leaves, place, branches), and what hides other rows and causes in
it (`use`, `to`), are the same in every pack that has it. `opens` opens a `use`; `void` says of a bill that it was taken back.
{causes}

## What it proves
- That what CLAIM.txt says was set aside. It is not all paid yet: payments.jsonl says how far it came; where a customer chose
  no cause, it waits for the company to decide.
- Since it was signed no octet was changed, no row taken away, added, doubled or moved.
- Each use cost what its rate says; each bill is the sum of its use and entries; each tenth is what its rule says, split by the
  customer's shares to the largest remainder; the bill's gift is their sum.
- Each bill here is one of the month's, and counts in the sums of commitment.json: leaving one out, or counting it with another
  sum, would need another root. Who had commitment.json *before* the seed was chosen knows that the sample could not be chosen,
  nor the other bills be made to fit: `--commitment`. If a part f of the bills were false, a sample of n shows none of them with
  a chance of (1 - f)^n: 8 % for f = 5 % and n = 50.
- Each bill, use, entry and part of a tenth is one that the company had when it sealed the day on which it booked it: a leaf
  of the tree whose root that day's seal has. So is what belongs together: a bill has the use and entries that it had when it
  was made, an entry its use, a tenth its use and its cause. Nothing of that could be made later, or for this sample. Who kept
  the seals as they left, day by day, holds them against these: `--seals` (a file, or a pipe, of at most 64 MiB). Rows that
  were booked since the last seal are under none, and refused, unless you say `--unsealed`; then their number is told.

## What it does not prove
- That a use happened as told, that none was left out before it was booked, or that a bill has a customer: the network's records
  and the customers do that, beside the company.
- That a day's tree has all of that day, and each once: a leaf is found, one that is not there is not missed. The gateway's own
  chain has no gap, but its digests are made under a key that is not in here, since who has it could forge them; the gateway
  compared each row with its link before it signed. Whoever stands beside it sees both: by `tpo ledger check --seals FILE`, and
  by the same command again, which gives the same pack octet for octet.
- What was sealed before there were trees of rows is proved from the first seal on that has one, and no day earlier.
- That money arrived: payments.jsonl says by which file it was ordered and what the bank's statement said to the gateway. Hold
  the SHA-256 against the file at the bank, and the remittance advice at the cause.
- A session that goes over the end of a month has tenths checked to one millionth (`exact` is false).
- Calls that no bill may tell of (helplines), and use that is older than versions of price lists, have no rate here.
"""
NAMED: Final = "Causes are named, and payments have their amounts: it is for an auditor alone."
UNNAMED: Final = (
    "Causes are labels of each bill's own, and payments those of all causes: nobody finds here who gives to whom."
)
