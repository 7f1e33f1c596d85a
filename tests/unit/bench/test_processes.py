"""CPU time out of /proc, and a reference that cannot be started."""

import subprocess
import sys

import pytest

from tests.bench import processes

SPIN = "import time; end = time.process_time() + 0.1\nwhile time.process_time() < end: pass\n"
LIVING = SPIN + "print(flush=True); input()"
PARENT = f"""import subprocess, sys
subprocess.run([sys.executable, "-c", {SPIN!r}])
child = subprocess.Popen([sys.executable, "-c", {LIVING!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(flush=True)
child.wait()
"""


def test_cpu_is_that_of_a_process_and_of_all_that_descend_from_it_whether_they_live_or_have_ended():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        spent = processes.cpu_seconds(process.pid)
        process.communicate(b"\n")
    assert spent >= 0.18


def test_a_reference_that_is_no_program_is_named(tmp_path):
    with pytest.raises(processes.Failed, match="no such program"), processes.server("no-such-server {port}", tmp_path):
        pass


def test_a_reference_that_ends_says_why(tmp_path):
    command = f"{sys.executable} -c \"import sys; sys.exit('no licence')\" {{port}}"
    with pytest.raises(processes.Failed, match="no licence"), processes.server(command, tmp_path):
        pass
