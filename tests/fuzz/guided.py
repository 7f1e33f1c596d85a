"""Fuzzing guided by coverage (atheris): `python -m tests.fuzz.guided TARGET [SECONDS]`, or every target by `all`.

What finds a new way is added to tests/fuzz/corpus/TARGET in a folder of its own, and kept by hand if it is worth it; an input
that crashes is written beside it, as `crash-...`, and ends the run.
"""

import subprocess
import sys
import tempfile
from pathlib import Path


def one(name, seconds):
    """Fuzz one target in this process; it never returns."""
    import atheris

    with atheris.instrument_imports(include=["gateway", "protocols", "provisioning"]):
        from tests.fuzz.targets import CORPUS, TARGETS
    found = Path(tempfile.mkdtemp(prefix=f"tpo-fuzz-{name}-"))
    print(f"{name}: {seconds} s, new inputs in {found}", flush=True)
    options = [f"-max_total_time={seconds}", "-max_len=4096", f"-artifact_prefix={found}/", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *options, str(found), str(CORPUS / name)], TARGETS[name])
    atheris.Fuzz()


def main(name, seconds):
    """Fuzz one target, or each in a process of its own; the exit code is that of the first that failed."""
    if name != "all":
        one(name, seconds)
        return 0
    from tests.fuzz.targets import TARGETS

    for target in TARGETS:
        done = subprocess.run([sys.executable, "-m", "tests.fuzz.guided", target, str(seconds)], check=False)
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60))
