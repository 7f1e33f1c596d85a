"""The `tpo` command: what operators type, and what its exit codes mean."""

from gateway.cli.main import main

__all__ = ["main"]
