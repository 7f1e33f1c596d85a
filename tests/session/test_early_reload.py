"""SIGHUP while the gateway starts: it does not end the process, and is honoured when the gateway is up."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from support.gateways import ROOT, Gateway
from support.log_lines import lines_of
from support.patience import PATIENCE


def begun(gateway):
    """A `tpo run` that is not ready yet."""
    with gateway.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "gateway.cli", "--config", str(gateway.config), "run"],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
        )


def catches(process, number):
    """Whether a process has a handler for a signal."""
    caught = re.search(r"^SigCgt:\s*(\S+)$", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)
    return bool(caught) and bool(int(caught[1], 16) >> (number - 1) & 1)


def catches_before_it_says_a_word(gateway):
    """Whether it has a handler for SIGHUP by now; it must not say anything without."""
    said = gateway.log.read_text()
    caught = catches(gateway.process, signal.SIGHUP)
    assert caught or not said, said
    return caught


def wait_for(process, condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, "the gateway ended"
        assert time.monotonic() < deadline, "it did not come to it in time"
        time.sleep(0.002)


def test_a_reload_asked_for_before_the_gateway_is_up_is_done_once_it_is(tmp_path):
    gateway = Gateway(tmp_path / "gw")
    gateway.process = process = begun(gateway)
    try:
        wait_for(process, lambda: catches_before_it_says_a_word(gateway))
        while '"daemon.ready"' not in gateway.log.read_text():
            os.kill(process.pid, signal.SIGHUP)
            assert process.poll() is None, gateway.log.read_text()
            time.sleep(0.02)
        wait_for(process, lambda: lines_of(gateway, "config.reloaded"))
        assert gateway.get("/readyz")[0] == 200
        assert gateway.stop() == 0
    finally:
        process.kill()
        process.wait()
    told = [json.loads(line)["event"] for line in gateway.log.read_text().splitlines()]
    assert told.index("daemon.ready") < told.index("config.reloaded")
    assert told[-1] == "daemon.stopped"


def test_one_signal_before_the_gateway_is_up_is_one_reload_with_what_the_file_says_then(tmp_path):
    gateway = Gateway(tmp_path / "gw")
    gateway.process = process = begun(gateway)
    try:
        wait_for(process, lambda: '"daemon.starting"' in gateway.log.read_text())
        gateway.config.write_text(gateway.config.read_text().replace("charging: {}", "charging: {slice: 5}"))
        os.kill(process.pid, signal.SIGHUP)
        wait_for(process, lambda: '"config.re' in gateway.log.read_text())
        assert gateway.stop() == 0
    finally:
        process.kill()
        process.wait()
    (told,) = lines_of(gateway, "config.reloaded")
    assert told["changed"] == "charging"
