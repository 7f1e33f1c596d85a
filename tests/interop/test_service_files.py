"""The service's files hold: systemd reads the unit, the gateway speaks its protocol, every path of the containers is there."""

import configparser
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from support.gateways import Gateway, subscribers
from support.monitoring import ROOT
from support.patience import PATIENCE

from gateway.settings import load

UNIT = ROOT / "config/systemd/tpo-gateway.service"
CONTAINER = ROOT / "config/container"
PR_SET_MDWE, PR_GET_MDWE, REFUSE_EXEC_GAIN = 65, 66, 1
EXECUTABLE = "/opt/tpo/.venv/bin/tpo"


class Manager:
    """The service manager's end of the line."""

    def __init__(self, folder):
        self.line = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.line.bind(str(folder / "notify"))
        self.line.settimeout(PATIENCE)
        self.environment = {"NOTIFY_SOCKET": self.line.getsockname(), "WATCHDOG_USEC": "300000"}

    def hear(self, wanted):
        """Everything that comes up to the wanted word."""
        heard = []
        while not heard or not heard[-1].startswith(wanted):
            heard.append(self.line.recv(1024).decode())
        return heard


@pytest.fixture
def manager(tmp_path, monkeypatch):
    made = Manager(tmp_path)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    with made.line:
        yield made


def test_the_gateway_tells_the_manager_that_it_is_ready_alive_reloading_and_stopping(tmp_path, manager):
    with Gateway(tmp_path / "gw") as gateway:
        assert manager.hear("READY=1") == ["READY=1"]
        assert manager.hear("WATCHDOG=1") == ["WATCHDOG=1"]
        gateway.process.send_signal(signal.SIGHUP)
        words = manager.hear("RELOADING=1")[-1]
        assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", words)
        assert set(manager.hear("READY=1")[:-1]) <= {"WATCHDOG=1"}
        assert manager.hear("WATCHDOG=1") == ["WATCHDOG=1"]
        assert gateway.stop() == 0
        assert set(manager.hear("STOPPING=1")[:-1]) <= {"WATCHDOG=1"}


def test_a_gateway_whose_loop_hangs_gives_no_sign_of_life(tmp_path, manager):
    with Gateway(tmp_path / "gw") as gateway:
        manager.hear("WATCHDOG=1")
        gateway.process.send_signal(signal.SIGSTOP)
        manager.line.settimeout(0.6)
        with pytest.raises(TimeoutError):
            list(iter(lambda: manager.line.recv(64), b""))
        gateway.process.send_signal(signal.SIGCONT)
        manager.line.settimeout(PATIENCE)
        assert manager.hear("WATCHDOG=1")


def test_systemd_finds_no_fault_with_the_unit_and_calls_it_safe(tmp_path):
    copy = tmp_path / UNIT.name
    text = UNIT.read_text()
    assert text.count(EXECUTABLE) == 2
    copy.write_text(text.replace(EXECUTABLE, f"{ROOT}/.venv/bin/tpo"))
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False, timeout=300
    )
    assert (verified.returncode, verified.stdout + verified.stderr) == (0, "")
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=15", str(copy)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert judged.returncode == 0, judged.stdout[-500:]


def test_the_unit_notifies_watches_and_reloads_by_the_gateways_own_ways():
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str
    unit.read_string(UNIT.read_text())
    service = unit["Service"]
    assert service["Type"] == "notify"
    assert int(service["WatchdogSec"]) == 30
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert service["LoadCredential"].startswith("privacy.key:")
    assert service["RestartPreventExitStatus"] == "64 78"
    assert f"/run/credentials/{UNIT.name}/privacy.key" in UNIT.read_text()


def allowed_calls():
    """The system calls that the unit lets through, by name."""
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter"], capture_output=True, text=True, check=True, timeout=300
    )
    groups, name = {}, ""
    for line in listed.stdout.splitlines():
        word = line.strip()
        if line.startswith("@"):
            name, groups[word] = word, set()
        elif line.startswith("  ") and name and not word.startswith("#"):
            groups[name].add(word)

    def members(group):
        return {inner for word in groups[group] for inner in (members(word) if word.startswith("@") else {word})}

    allowed = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.MULTILINE):
        for group in line.removeprefix("~").split():
            allowed = allowed - members(group) if line.startswith("~") else allowed | members(group)
    return allowed | members("@default")


def test_the_gateway_makes_no_system_call_that_the_unit_denies(tmp_path):
    traced = tmp_path / "calls"
    gateway = Gateway(tmp_path / "gw")
    gateway.under = ["strace", "-f", "-qq", "-c", "-S", "name", "-o", str(traced)]
    gateway.start()
    (daemon,) = Path(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children").read_text().split()
    assert gateway.enrol(subscribers(3))["created"] == 3
    os.kill(int(daemon), signal.SIGHUP)
    assert gateway.get("/metrics")[0] == 200
    os.kill(int(daemon), signal.SIGTERM)
    assert gateway.process.wait(PATIENCE) == 0
    rows = [line.split() for line in traced.read_text().splitlines()[2:-2]]
    made = {row[-1] for row in rows}
    assert {"fdatasync", "fsync"} & made
    assert made - allowed_calls() <= {"fchown"}  # SQLite does so as root alone; the service is tpo


@pytest.mark.skipif(ctypes.CDLL(None).prctl(PR_GET_MDWE, 0, 0, 0, 0) < 0, reason="Linux before 6.3 cannot deny it")
def test_the_gateway_runs_where_memory_is_never_both_written_and_run(tmp_path, monkeypatch):
    popen = subprocess.Popen

    def deny():
        if ctypes.CDLL(None).prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0):
            raise OSError

    monkeypatch.setattr(subprocess, "Popen", lambda *given, **named: popen(*given, **named, preexec_fn=deny))
    with Gateway(tmp_path / "gw") as gateway:
        assert "daemon.ready" in gateway.log.read_text()
        assert gateway.get("/livez")[0] == 200
        assert gateway.stop() == 0


def compose():
    return yaml.safe_load((CONTAINER / "compose.yaml").read_text())


def test_every_path_secret_and_volume_of_the_compose_file_is_there():
    whole = compose()
    made = set(
        re.findall(r"^for name in (.*); do$", (CONTAINER / "make-secrets.sh").read_text(), re.MULTILINE)[0].split()
    )
    assert {name: place["file"] for name, place in whole["secrets"].items()} == {
        name: f"secrets/{name}" for name in made
    }
    for name, service in whole["services"].items():
        assert set(service.get("secrets", ())) <= made
        assert set(service.get("depends_on", ())) <= set(whole["services"])
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            found = (CONTAINER / source).exists() if source.startswith(".") else source in whole["volumes"]
            assert found, (name, volume)
        if "build" in service:
            build = service["build"]
            assert (CONTAINER / build["context"] / build["dockerfile"]).resolve() == CONTAINER / "Containerfile"
        assert ":" in service["image"] or "build" in service, f"{name}: an image without a version"


def test_every_path_of_the_containerfile_is_there_and_let_in():
    let_in = (CONTAINER / "Containerfile.dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+)$", (CONTAINER / "Containerfile").read_text(), re.MULTILINE)
    sources = [source for line in copied for source in line.split()[:-1]]
    assert "gateway" in sources
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in let_in or f"!{source.split('/')[0]}" in let_in, source


def test_the_containers_settings_and_secrets_are_what_the_gateway_takes(tmp_path):
    folder = tmp_path / "etc"
    shutil.copytree(CONTAINER, folder)
    for name in ("plans", "causes", "keywords", "taxes"):
        shutil.copy(ROOT / f"config/{name}.yaml", folder)
    subprocess.run(["sh", str(folder / "make-secrets.sh")], check=True)
    first = {file.name: file.read_text() for file in (folder / "secrets").iterdir()}
    subprocess.run(["sh", str(folder / "make-secrets.sh")], check=True)
    assert {file.name: file.read_text() for file in (folder / "secrets").iterdir()} == first
    assert all(len(secret) >= 40 for secret in first.values())
    written = (folder / "gateway.yaml").read_text()
    mounted = {f"/run/secrets/{name}" for name in compose()["services"]["gateway"]["secrets"]}
    assert set(re.findall(r"/run/secrets/\w+", written)) == mounted
    (folder / "gateway.yaml").write_text(written.replace("/run/secrets", f"{folder}/secrets"))
    settings = load(folder / "gateway.yaml")
    assert settings.api.listen.port == 8080
    assert settings.api.tokens[0].token.matches(first["prometheus"])


def test_the_health_check_of_the_container_asks_a_gateway(tmp_path):
    found = re.search(r'CMD \["python", "-c", "(.+)"\]', (CONTAINER / "Containerfile").read_text()).group(1)
    with Gateway(tmp_path / "gw") as gateway:
        asked = found.replace("127.0.0.1:8080", f"127.0.0.1:{gateway.http_port}")
        assert asked != found
        assert subprocess.run([sys.executable, "-c", asked], check=False, timeout=PATIENCE).returncode == 0
        gateway.kill()
        assert (
            subprocess.run([sys.executable, "-c", asked], check=False, capture_output=True, timeout=PATIENCE).returncode
            == 1
        )
