"""What operators and machines see of the gateway: actions, HTTP, health, metrics."""
