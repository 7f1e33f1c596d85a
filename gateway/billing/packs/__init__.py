"""Evidence packs: what an auditor, or a customer, takes away to check offline how money went from use to a cause."""
