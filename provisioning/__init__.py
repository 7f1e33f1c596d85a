"""The SIM's whole life: identifiers, orders and host adapters; nothing of it exists yet."""
