"""How the languages of customers write what both bills and notices have."""
