"""Metrics: what each one means, where its value comes from, and how Prometheus reads them."""
