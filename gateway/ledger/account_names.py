"""Names of system accounts, for whoever reads them without a store; the numbers are those of ledger.accounts."""

REVENUE = "revenue"
CASH = "cash"
OPENING = "opening"
GIVING = "giving"
UNASSIGNED = "unassigned"
"""The giving of those who chose no cause: no cause can be called so."""
REFUNDS = "refunds"
"""What is owed to customers who left."""
WRITE_OFFS = "write-offs"
"""What customers who left owe, and will not be asked for."""
ABSORBED = "absorbed"
"""What was used beyond a customer's bill limit, and is never billed."""
PROMOTIONS = "promotions"
"""What was given to customers as credit, and is not theirs any more once it ended."""
BREAKAGE = "breakage"
"""Credit that customers paid for and did not use until it ended, without its tax."""
BREAKAGE_VAT = "breakage-vat"
"""The tax on it."""
SERVICE_CHARGES = "service-charges"
"""What is owed to those who are called at numbers for services (084, 087, 09, 118 in the UK)."""
CHARITY_BANK = "charity-bank"
"""The bank account that causes are paid from."""
PROFIT_SHARE = "profit-share"
"""What causes are given of the company's profit."""
VAT = "vat:"
"""What is owed of a country's tax at a rate, as `vat:GB-20`."""
ADDED_TAX = "tax:"
"""What is owed of taxes that are added to prices, as `tax:US-NY-state`."""
WALLET = "wallet:"
SYSTEM = (
    REVENUE,
    CASH,
    OPENING,
    GIVING,
    UNASSIGNED,
    REFUNDS,
    WRITE_OFFS,
    SERVICE_CHARGES,
    ABSORBED,
    PROMOTIONS,
    BREAKAGE,
    BREAKAGE_VAT,
    CHARITY_BANK,
    PROFIT_SHARE,
)
TENTH_PREFIXES = ("confirmed:", "payable:", "instructed:")
"""Accounts of what is owed to a cause, by how far it is on its way (charity.tenth_states)."""
GIFT_PREFIXES = ("gifts-confirmed:", "gifts-payable:", "gifts-instructed:")
"""The same of gifts."""
HIGHEST_SYSTEM = 1 << 20
"""System accounts are numbered below this, subscribers far above."""
