"""Double entry: pure entries and wallets, and the books that keep them."""
