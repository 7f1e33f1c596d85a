"""`ledger export`: the journal in the formats of other people's accounting programs."""
