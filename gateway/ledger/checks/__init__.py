"""The checks of `tpo ledger check`, one concern a file; gateway.ledger.check runs the table of them."""
