"""`tpo init`: settings that are good as they are, wherever the gateway is installed, and nothing of anybody's overwritten."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from gateway.cli import main
from gateway.cli.commands.init import NETWORK, SETTINGS
from gateway.settings import load

ROOT = Path(__file__).parents[2]


def test_what_is_written_passes_the_check_and_every_file_explains_itself(tmp_path, capsys):
    folder = tmp_path / "a" / "b"
    assert main(["init", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == sorted(SETTINGS)
    assert all((folder / name).read_text().startswith("# ") for name in SETTINGS)
    capsys.readouterr()
    assert main(["--config", str(folder / "gateway.yaml"), "config", "check"]) == 0
    assert "good (plans: 3, causes: 6" in capsys.readouterr().out


def test_what_is_there_is_not_touched(tmp_path, capsys):
    (tmp_path / "plans.yaml").write_text("mine: {}\n")
    assert main(["init", str(tmp_path)]) == 1
    assert "plans.yaml: there already; nothing was written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["plans.yaml"]


def test_a_folder_that_cannot_be_made_and_one_too_deep_for_the_socket_say_so(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main(["init", str(tmp_path / "file" / "x"), "--json"]) == 1
    assert json.loads(capsys.readouterr().err)["detail"].startswith("the settings cannot be written")
    assert main(["init", str(tmp_path / ("d" * 120))]) == 78
    assert "api.socket" in capsys.readouterr().err


def test_the_simulated_network_keeps_its_books_and_its_socket_apart(tmp_path):
    assert main(["init", str(tmp_path), "--network"]) == 0
    own, simulated = load(tmp_path / "gateway.yaml"), load(tmp_path / "network.yaml")
    assert own.store.url != simulated.store.url
    assert own.api.socket != simulated.api.socket


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The packages as a wheel brings them, and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_outside_the_checkout_the_package_brings_the_files_along(installed, tmp_path):
    environ = {**os.environ, "PYTHONPATH": str(installed)}
    for words in (["init", "here", "--network"], ["--config", "here/gateway.yaml", "config", "check"]):
        command = [sys.executable, "-m", "gateway.cli", *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=300
        )
        assert (done.returncode, done.stderr) == (0, "")
    for name in (*SETTINGS, *NETWORK):
        assert (installed / "gateway" / "initial" / name).read_bytes() == (ROOT / "config" / name).read_bytes()
        assert (tmp_path / "here" / name).read_bytes() == (ROOT / "config" / name).read_bytes()
