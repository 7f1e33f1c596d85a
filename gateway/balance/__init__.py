"""Account Balance Management (TS 32.296): the one way from usage, sales, top-ups and gifts to wallets and the journal."""
