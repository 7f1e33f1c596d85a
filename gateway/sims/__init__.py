"""SIM cards as the gateway keeps them: the inventory, orders on disk, what an order does to a line, and who carries it out."""
