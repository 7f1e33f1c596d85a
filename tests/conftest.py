import os
import sys

from hypothesis import HealthCheck, settings, strategies

settings.register_profile("default", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", deadline=None, max_examples=20_000, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# A gateway or command that a test starts finds its modules compiled: without that a third of each start is compiling.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_collection_finish():
    """Load the one module of Hypothesis that it imports late, and that pytest rewrites: with nothing compiled yet, in the
    middle of a run, CPython before 3.11.8 then sometimes ends in "AST constructor recursion depth mismatch" (gh-106905)."""
    strategies.from_regex("").validate()
