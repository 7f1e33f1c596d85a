"""What the README says holds: its commands run, word for word and in order; its settings are taken, its links lead somewhere"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support import warm_start

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DAEMONS = {"make run": re.compile(r"\| [1-9][\d.]* MB \|"), "tpo run": re.compile(r"daemon\.ready")}
"""What stays in the foreground, and by which words a person sees that it is up: `make run` prints how much is used."""
OURSELVES = ("make test", "make check")
"""`make test` runs this very test, and begins with `make check`: make is asked here what it would do."""
ELSEWHERE = {"tpo demo": "tpo demo --help"}
"""What a test of its own runs to the end (test_demo); here it is seen that it is there."""
OWN = ("run.stamp", "__pycache__", ".git", ".venv", "var", ".work", ".hypothesis", ".mypy_cache", ".ruff_cache")
LINE_SECONDS = 90
PLAIN = re.compile(r"tpo [\w\s.,:=/\"!-]+")
"""A command that a shell has nothing to do for but to start it."""


def blocks(kind):
    """The fenced blocks of a kind, in order."""
    return [text for name, text in FENCED.findall(README) if name == kind]


def commands():
    """Each command of the README without its remark, in order."""
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [re.sub(r"\s+#.*$", "", line) for line in lines if line.strip()]


class Terminal:
    """A shell in a copy of the checkout, alone on a network of its own: the README's ports are free there."""

    def __init__(self, folder):
        self.folder = folder
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*OWN), symlinks=True)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        self.daemon = self.environment = None
        self.exports = ""
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep 1200"],
                                       stdout=subprocess.PIPE, text=True)  # fmt: skip
        assert self.holder.stdout.readline() == "up\n"

    def inside(self, line):
        """The command that runs a line of the README in there."""
        return ["nsenter", "--net", f"--target={self.holder.pid}", "bash", "-c", self.exports + line]

    def type(self, line):
        """Run a line; what it printed. A gateway in the foreground goes on beside the next lines, as in another terminal.

        The first `tpo` after an export is the shell's, so that it is found where the README says; further ones are forks.
        """
        if line.startswith("export "):
            self.exports, self.environment = f"{self.exports}{line}; ", None
            return ""
        if line in DAEMONS:
            self.end_daemon()
            return self.start_daemon(line)
        if self.environment and PLAIN.fullmatch(line):
            words, where = shlex.split(line)[1:], {"cwd": self.folder, "env": self.environment}
            done = warm_start.run(words, timeout=LINE_SECONDS, network_of=self.holder.pid, **where)
        else:
            done = self.shell(line)
            if line.startswith("tpo "):
                told = self.shell("env --null").stdout.rstrip("\0").split("\0")
                self.environment = dict(each.split("=", 1) for each in told)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def shell(self, line):
        """Have a shell run a line; gives the finished process."""
        return subprocess.run(
            self.inside(line), cwd=self.folder, capture_output=True, text=True, timeout=LINE_SECONDS, check=False
        )

    def start_daemon(self, line):
        """Start what stays, and wait until it is up."""
        log = self.folder / "terminal.log"
        with log.open("wb") as out:
            self.daemon = subprocess.Popen(
                self.inside("exec " + line), cwd=self.folder, stdout=out, stderr=out, process_group=0
            )
        deadline = time.monotonic() + LINE_SECONDS
        while not DAEMONS[line].search(log.read_text()):
            assert self.daemon.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        return log.read_text()

    def end_daemon(self):
        """Ctrl-C, unless it has ended by itself."""
        if self.daemon is not None:
            if self.daemon.poll() is None:
                os.killpg(self.daemon.pid, signal.SIGINT)
            code = self.daemon.wait(LINE_SECONDS)
            said = (self.folder / "terminal.log").read_text()
            assert code in (0, 2, -signal.SIGINT), said  # make passes the signal on to itself
            assert "Traceback" not in said
            self.daemon = None

    def close(self):
        """End what was started."""
        try:
            self.end_daemon()
        finally:
            self.holder.kill()
            self.holder.wait()


@pytest.fixture
def terminal(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("a network of its own needs root")
    fresh = subprocess.run(["make", "--question", ".venv/run.stamp"], cwd=ROOT, capture_output=True, check=False)
    assert fresh.returncode == 0, "the virtualenv is older than pyproject.toml: run `make check` first"
    terminal = Terminal(tmp_path_factory.mktemp("readme") / "checkout")  # short: a socket's path has 107 octets
    yield terminal
    terminal.close()


@pytest.mark.timeout(600)
def test_every_command_of_the_readme_does_what_it_says_in_the_order_of_the_readme(terminal):
    said = {}
    for line in commands():
        if line in OURSELVES:
            dry = subprocess.run(["make", "-n", line.removeprefix("make ")], cwd=ROOT, capture_output=True, check=False)
            assert dry.returncode == 0, dry.stderr
        else:
            said[line] = terminal.type(ELSEWHERE.get(line, line))
    assert len(said) >= 25
    assert "447700900101" in said["tpo subscriber show 447700900101"]
    assert "delivered" in said["tpo sms list --state delivered"]
    assert "done" in next(said[line] for line in said if line.startswith("tpo sim activate"))
    assert "HTTP/1.1" in said["tpo trace show"]
    assert "447700900198" not in said["tpo trace show"]
    assert len(said["tpo usage export"].splitlines()) > 1
    assert "revenue" in said["tpo ledger balances"]


def test_the_settings_of_the_readme_are_taken(tmp_path):
    shown = blocks("yaml")
    assert len(shown) > 3
    for number, block in enumerate(shown):
        config = tmp_path / f"{number}.yaml"
        store = "" if "store:" in block else "store: {url: sqlite:///var/tpo.db}\n"
        common = f"operator: {{name: Test}}\napi: {{listen: 127.0.0.1:0, socket: var/{number}.sock}}\n{store}"
        files = "".join(f"{name}: {ROOT}/config/{name}.yaml\n" for name in ("plans", "causes", "keywords"))
        config.write_text(common + files + block)
        environment = {**os.environ, "TPO_PRIVACY_KEY": "ab" * 32, "SMSC_PASSWORD": "secret-1", "HOST_TOKEN": "token-1"}
        done = warm_start.run(["config", "check", "--config", str(config)], timeout=300, env=environment)
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"


def test_every_command_that_the_readme_names_in_passing_exists():
    named = {span for span in re.findall(r"`(tpo [^`]*|make [^`]*)`", README) if "PERIOD" not in span}
    assert len(named) > 8
    for span in named:
        program, *words = shlex.split(span)
        if program == "make":
            done = subprocess.run(["make", "-n", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        else:
            done = warm_start.run([*(word for word in words if not word.isupper()), "--help"], timeout=300)
        assert done.returncode == 0, f"{span}\n{done.stdout}{done.stderr}"


def test_every_place_that_the_readme_points_to_exists():
    links = set(re.findall(r"\]\(([^)#]+)\)", README))
    assert len(links) > 8
    assert [link for link in links if not (ROOT / link).exists()] == []
    lived = README.split("## Where things live")[1].split("## ")[0]
    folders = [path.name for path in (ROOT / "gateway").iterdir() if (path / "__init__.py").exists()]
    assert [name for name in folders if f"{name}/" not in lived and name != "logs"] == []
    assert [name for name in ("tests", "docs", "config", "simulators") if f"{name}/" not in lived] == []
