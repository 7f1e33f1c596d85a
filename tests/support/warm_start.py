"""Starts `tpo` in processes of their own that need not import the gateway anew: each is a fork of one that has.

A start costs most of a second of CPU, nearly all of it imports, and the tests make thousands. Whoever tests the start
itself (what a command imports, its first signals, its terminal) starts `python -m gateway.cli`.
"""

import atexit
import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from support.namespaces import enter_network

_REQUEST_BYTES = 1 << 17
_ROOT = Path(__file__).resolve().parents[2]
_PROGRAM = "import sys; sys.path[:0] = sys.argv[2:]; from support.warm_start import serve; serve(int(sys.argv[1]))"


class Process:
    """A started command; what `subprocess.Popen` offers of pid, poll, wait and signals.

    `preloaded` is what a library needs of the environment that is loaded before all others (LD_PRELOAD and its own): all who
    start with the same share a process that they are forks of, until `end` is called with it. `network_of` is a process whose
    network it is to be in.
    """

    def __init__(self, arguments, *, stdout, stderr, cwd=_ROOT, env=None, preloaded=None, network_of=None):
        self._exit, theirs = socket.socketpair()
        wanted = {**(os.environ if env is None else env), **(preloaded or {})}
        request = {"arguments": list(arguments), "cwd": str(cwd), "env": wanted, "network_of": network_of}
        control, sending = _server(tuple(sorted((preloaded or {}).items())))[:2]
        with theirs, open(os.devnull, "rb") as stdin:  # noqa: PTH123  (no file on a disk)
            files = (stdin.fileno(), stdout.fileno(), stderr.fileno(), theirs.fileno())
            with sending:
                socket.send_fds(control, [json.dumps(request).encode()], files)
        self._lines = self._exit.makefile("r")
        self.pid = int(self._lines.readline())
        self.returncode = None
        self._collecting = threading.Lock()

    def poll(self):
        """The exit code, negative for a signal, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout=None):
        """Wait for the end; gives the exit code."""
        with self._collecting:
            if self.returncode is None:
                with selectors.DefaultSelector() as ready:
                    ready.register(self._exit, selectors.EVENT_READ)
                    if not ready.select(timeout):
                        raise subprocess.TimeoutExpired("tpo", timeout)
                self.returncode = int(self._lines.readline())
                self._lines.close()
                self._exit.close()
        return self.returncode

    def send_signal(self, number):
        """Send a signal to it if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self):
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def terminate(self):
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)


def run(arguments, *, timeout, cwd=_ROOT, env=None, network_of=None):
    """As `subprocess.run` with its output captured as text."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = Process(arguments, stdout=out, stderr=err, cwd=cwd, env=env, network_of=network_of)
        try:
            process.wait(timeout)
        except BaseException:
            process.kill()
            raise
        told = []
        for file in (out, err):
            file.seek(0)
            told.append(file.read().decode())
    return subprocess.CompletedProcess(["tpo", *arguments], process.returncode, *told)


_SERVERS = {}


def _server(preloaded=()):
    """The process that forks, one for each of pytest's and each library that is preloaded: its socket, the lock of those who
    send, and itself."""
    if preloaded in _SERVERS:
        return _SERVERS[preloaded]
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _REQUEST_BYTES)
    with theirs:
        command = [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), str(_ROOT), str(_ROOT / "tests")]
        env = {**os.environ, **dict(preloaded)}
        server = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, cwd=_ROOT, env=env)
    _SERVERS[preloaded] = ours, threading.Lock(), server
    return _SERVERS[preloaded]


def end(preloaded=()):
    """End a process that forks, if there is one."""
    if (found := _SERVERS.pop(tuple(sorted(dict(preloaded).items())), None)) is not None:
        ours, _, server = found
        ours.close()
        server.wait(10)


@atexit.register
def _end_all():
    for preloaded in list(_SERVERS):
        end(preloaded)


def serve(descriptor):
    """Fork a process for each request until the socket is closed; returns never, in the children neither."""
    arguments = _fork_until_closed(descriptor)
    if arguments is None:
        return
    from gateway.cli.main import main

    sys.argv = ["tpo", *arguments]
    code = main()
    # An interpreter that ends in order takes each module apart, and so copies most of the pages that the fork shared:
    # two thirds of what a short command costs. What stands before that in its end is done here.
    threading._shutdown()
    atexit._run_exitfuncs()
    gc.collect()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _fork_until_closed(descriptor):
    """Give a child its arguments, and None when the socket is closed."""
    from importlib import import_module

    from gateway.cli import groups
    from gateway.settings import load

    late = ("api.actions.table", "cli.bulk_run", "cli.csv_rows", "cli.follow_order", "runtime.daemon", "store.backup")
    others = ("uvloop", "alembic.command", "phonenumbers.data.region_GB")
    for name in (*groups.OWN.values(), *(f"gateway.{each}" for each in late), *others):
        import_module(name)
    load(_ROOT / "config" / "gateway.yaml", for_client=True)  # makes what checks each file, as the first load does

    gc.collect()
    gc.freeze()
    control, running = socket.socket(fileno=descriptor), {}
    woken, wake = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who presses Ctrl-C means pytest
    with selectors.DefaultSelector() as ready:
        ready.register(control, selectors.EVENT_READ)
        ready.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj == woken:
                    os.read(woken, 4096)
                    _tell_of_the_ended(running)
                    continue
                request, files, _, _ = socket.recv_fds(control, _REQUEST_BYTES, 4)
                if not request:
                    return None
                if (pid := os.fork()) == 0:
                    ready.close()
                    for each in (control, *running.values()):
                        each.close()
                    os.close(woken)
                    os.close(wake)
                    return _become(json.loads(request), files)
                for each in files[:3]:
                    os.close(each)
                running[pid] = socket.socket(fileno=files[3])
                running[pid].sendall(f"{pid}\n".encode())


def _tell_of_the_ended(running):
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with running.pop(pid) as waiting, contextlib.suppress(OSError):
            waiting.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _become(request, files):
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, each in enumerate(files[:3]):
        os.dup2(each, number)
    for each in files:
        os.close(each)
    sys.stdin, sys.stdout = open(0), open(1, "w")  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, errors="backslashreplace")  # noqa: SIM115
    if request["network_of"]:
        enter_network(f"/proc/{request['network_of']}/ns/net")
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    return request["arguments"]
