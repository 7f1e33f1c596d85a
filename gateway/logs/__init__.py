"""Structured logs: constant event names with fields, and no number or key in clear."""

from gateway.logs.pipeline import LEVELS, configure, get_logger

__all__ = ["LEVELS", "configure", "get_logger"]
