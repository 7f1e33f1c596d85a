"""What a person sees at a terminal: steps that change in place, a bar that fills."""

import os
import pty
import subprocess
import sys

import pytest
from support.scripted_gateway import ICCID, ROOT, scripted, step, write_config
from support.scripted_gateway import order as scripted_order


@pytest.fixture
def folder(tmp_path):
    write_config(tmp_path)
    return tmp_path


def on_a_terminal(folder, *arguments):
    """Run a command whose standard error is a terminal: (exit code, what was drawn)."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "gateway.cli", "--config", str(folder / "gateway.yaml"), *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    ) as process:
        os.close(theirs)
        drawn = b""
        try:
            while some := os.read(ours, 65536):
                drawn += some
        except OSError:
            pass  # EIO: the command has ended
        finally:
            os.close(ours)
    return process.returncode, drawn.decode()


def order(state, *marks):
    names = zip(("host.activate", "line.enable"), marks, strict=True)
    steps = [step(name, mark, 1, "[red]busy\x1b[2J" if mark == "sent" else None) for name, mark in names]
    return scripted_order(state, *steps)


def test_the_steps_of_an_order_are_drawn_as_they_change_and_steer_nothing(folder):
    taken = {"order": "77", "state": "accepted", "repeated": False, "iccid": ICCID}
    looks = [order("running", "sent", "waiting"), order("done", "done", "done")]
    with scripted(folder, sim__swap=taken, order__show=looks):
        code, drawn = on_a_terminal(folder, "sim", "swap", ICCID, "8944100000000000021", "--wait")
    assert code == 0
    for text in ("order 77: activate, running", "[red]busy�[2J", "order 77: activate, done"):
        assert text in drawn


def test_a_bulk_has_a_bar(folder):
    (folder / "lines.csv").write_text(f"action,iccid\nterminate,{ICCID}\n")
    taken = {"results": [{"order": "1", "state": "accepted", "code": None, "message": ""}]}
    states = {"rows": [{"id": "1", "state": "done", "error": None}]}
    with scripted(folder, sim__bulk=taken, order__states=states):
        code, drawn = on_a_terminal(folder, "sim", "bulk", str(folder / "lines.csv"))
    assert code == 0
    assert "1/1" in drawn
    assert "1 done, 0 not, 0 at work" in drawn
