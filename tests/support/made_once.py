"""What is dear to make and the same for every process of a test run: the first that needs it makes it, all others copy it."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

VARIABLE = "TPO_TEST_RUN"
"""The environment's name of the folder that the processes of a run share."""


def begin():
    """Make the folder of this run, unless an outer run has one; gives what takes it away."""
    if VARIABLE in os.environ:
        return lambda: None
    folder = tempfile.mkdtemp(prefix="tpo-run-")
    Path(folder).chmod(0o777)  # a PostgreSQL of another user is made there
    os.environ[VARIABLE] = folder

    def end():
        del os.environ[VARIABLE]
        shutil.rmtree(folder, ignore_errors=True)

    return end


def made_once(name, make):
    """The path of what `make(path)` makes, a file or a folder."""
    folder = Path(os.environ[VARIABLE])
    path = folder / name
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            draft = folder / f"{name}.draft"
            make(draft)
            draft.rename(path)
    return path
