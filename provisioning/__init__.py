"""The SIM's whole life: identifiers, states, orders as sagas, and the hosts that hold the lines. It knows nothing of money."""
