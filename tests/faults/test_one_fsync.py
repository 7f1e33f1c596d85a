"""Seen from the kernel, by strace: a batch costs one fsync at most; no answer comes before one that began after its batch."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
ROUNDS = 60
REQUESTS = 16 * ROUNDS
SYNCED = re.compile(r"(?:fdatasync|fsync)(?:\((\d+)<([^>]+)>\)| resumed>.*\)) += 0")
BEGUN = re.compile(r"(?:fdatasync|fsync)\(\d+<([^>]+)>")
SAID = re.compile(r'write\(2<[^>]*>, "(BEGIN|DECIDED|ANSWERED|END)( [^"]*)?\\n"')


def traced(folder):
    """The lines of a trace of the script, between its BEGIN and its END."""
    trace = folder / "trace"
    command = ["strace", "-f", "-y", "-e", "trace=fsync,fdatasync,write", "-o", trace]
    script = [sys.executable, "-m", "support.lane_script", f"sqlite:///{folder}/t.db", str(ROUNDS)]
    done = subprocess.run(
        [*command, *script],
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": str(TESTS.parent)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("this machine allows no process to be traced (ptrace)")
    assert done.returncode == 0, done.stderr[-2000:]
    lines = trace.read_text(errors="replace").splitlines()
    first = next(place for place, line in enumerate(lines) if 'BEGIN\\n"' in line)
    last = next(place for place, line in enumerate(lines) if '"END ' in line)
    return lines[first : last + 1]


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed (package strace)")
def test_a_batch_costs_one_fsync_at_most_and_nothing_is_answered_before_it_returned(tmp_path):
    lines = traced(tmp_path)
    decided, covered, durable, answered = set(), {}, set(), []
    wal = checkpoints = 0
    for line in lines:
        begun, said = BEGUN.search(line), SAID.search(line)
        thread = line.split(maxsplit=1)[0]
        if begun:
            covered[thread] = set(decided)  # what is decided while it runs, it may not have
            wal += begun[1].endswith("-wal")
            checkpoints += begun[1].endswith(".db")
        if SYNCED.search(line):
            durable |= covered.pop(thread, set())
        if said and said[1] == "DECIDED":
            decided.add(said[2])
        if said and said[1] == "ANSWERED":
            assert said[2] in durable, f"answered before its batch was on disk: {said[2]}"
            answered.append(said[2])
    assert len(answered) == len(set(answered)) == REQUESTS
    batches = int(SAID.search(lines[-1])[2])
    assert ROUNDS <= batches < REQUESTS
    assert 0 < wal <= batches + checkpoints
    assert checkpoints <= 2
