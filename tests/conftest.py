import gc
import itertools
import os
import signal
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings, strategies

settings.register_profile("default", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("soak", deadline=None, max_examples=1_000, suppress_health_check=list(HealthCheck))
settings.register_profile("long", deadline=None, max_examples=20_000, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# A gateway or command that a test starts finds its modules compiled: without that a third of each start is compiling.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A shell starts what runs in its background with SIGINT ignored: so would be commands that a test starts to interrupt them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config):
    """What is dear to make is made once a run, in a folder that goes with it: by workers, and by what they start."""
    from support import made_once

    config.add_cleanup(made_once.begin())


DATABASES = itertools.count()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep the tests of a module with the mark `xdist_group` on one worker; all others go wherever there is room.

    pytest-xdist 3.8 does so by a suffix of the node's id, which pytest 9.2 does not take: each test went anywhere.
    """
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    @cache
    def is_a_group(module):
        return "pytest.mark.xdist_group(" in (Path(config.rootpath) / module).read_text()

    class ByModule(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            module = nodeid.partition("::")[0]
            return module if is_a_group(module) else nodeid

    return ByModule(config, log)


def pytest_collection_finish():
    """Load the one module of Hypothesis that it imports late, and that pytest rewrites: with nothing compiled yet, in the
    middle of a run, CPython before 3.11.8 then sometimes ends in "AST constructor recursion depth mismatch" (gh-106905)."""
    strategies.from_regex("").validate()
    gc.collect()
    gc.freeze()  # what was imported stays: each full collection in the run would look through it again


@pytest.fixture(scope="session")
def postgresql():
    """A PostgreSQL server for all tests of a worker but those that harm theirs: to start one costs more than most tests."""
    from support import postgres

    if not postgres.BINARIES:
        pytest.skip("PostgreSQL is not installed (package postgresql)")
    with postgres.server() as make:
        yield make


@pytest.fixture(scope="module")
def database(postgresql):
    """A function that makes a fresh database on the worker's server, and gives its URL; it goes with the module's tests."""
    from support.postgres import drop

    made = []

    def make(name, empty=False):
        made.append(postgresql(f"{name}_{next(DATABASES)}", empty))
        return made[-1]

    yield make
    for url in made:
        drop(url)
