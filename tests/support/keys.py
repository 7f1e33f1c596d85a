"""The privacy key of the tests' gateways that share a store, in processes or not."""

SHARED_KEY = "one key of all gateways on a store, as it has to be"
