import os
import subprocess
import sys
import time

import pytest
from support.lateness import Lateness

from gateway.store import lock
from gateway.store.errors import StoreLocked

HOLD = """
import sys, time
from gateway.store import lock
held = lock.take(sys.argv[1], "ocs.test.example")
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/var/t.db"


def test_the_lock_lies_beside_the_store_and_names_its_process(url, tmp_path):
    held = lock.take(url, "ocs.test.example")
    file = tmp_path / "var" / "t.db.lock"
    assert file.read_text() == f"{os.getpid()}\n"
    assert file.stat().st_mode & 0o007 == 0
    held.release()


def test_a_second_writer_is_refused_and_told_whom_to_stop(url):
    held = lock.take(url, "ocs.test.example")
    with pytest.raises(StoreLocked, match=f"process {os.getpid()} has this store open"):
        lock.take(url, "another.test.example")
    held.release()
    lock.take(url, "another.test.example").release()


def test_a_shorter_pid_leaves_nothing_of_the_longer_one_before_it(url, tmp_path):
    file = tmp_path / "var" / "t.db.lock"
    file.parent.mkdir()
    file.write_text("123456789012\n")
    held = lock.take(url, "ocs.test.example")
    assert file.read_text() == f"{os.getpid()}\n"
    held.release()


def test_two_stores_in_one_folder_do_not_lock_each_other(url, tmp_path):
    first, second = lock.take(url, "a"), lock.take(f"sqlite:///{tmp_path}/var/u.db", "a")
    first.release()
    second.release()


def test_a_killed_process_leaves_no_lock_behind(url):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, url], stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StoreLocked, match=f"process {holder.pid} "):
            lock.take(url, "ocs.test.example")
        holder.kill()
        holder.wait()
        with Lateness() as late:
            before = time.monotonic()
            lock.take(url, "ocs.test.example").release()
            taken = time.monotonic() - before
        assert taken < 1 + 10 * late.most


def test_a_child_process_does_not_inherit_the_lock(url):
    held = lock.take(url, "ocs.test.example")
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        held.release()
        lock.take(url, "ocs.test.example").release()
        child.kill()
