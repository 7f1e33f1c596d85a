"""Texts: a durable queue out, receipts back, texts in, and the services that answer keywords."""
