"""Shared libraries of the tests that are preloaded into a process, each built from its C source where it is needed first."""

import hashlib
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path


@cache
def library(name):
    """The library of `NAME_shim.c` beside this file, built once a source."""
    source = Path(__file__).with_name(f"{name}_shim.c")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    built = Path(tempfile.gettempdir()) / f"tpo-{name}-{os.getuid()}-{digest}.so"
    if not built.exists():
        draft = built.with_suffix(f".{os.getpid()}")
        command = ["cc", "-shared", "-fPIC", "-O2", "-o", draft, source, "-ldl", "-lpthread"]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        draft.chmod(0o755)  # a server of another user loads it, too, whatever the umask was
        draft.rename(built)
    return built
