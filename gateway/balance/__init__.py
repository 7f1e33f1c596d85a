"""Account Balance Management (TS 32.296): the one door from usage, sales, top-ups and gifts to wallets and the journal."""
