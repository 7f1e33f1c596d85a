"""`tpo` itself: exit codes, where --config may stand, commands that others bring."""

import json
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from support import warm_start

from gateway.cli import groups, main

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config/gateway.yaml"

TEN_MISTAKES = """\
operator: {name: TPO, currency: Pounds}
store: {url: oracle://x}
api:
  listen: nowhere
  tokens:
    - {name: a, role: god, token: {env: TPO_TEST_ABSENT}}
diameter:
  identity: ocs
  realm: tpo.example
  lisen: []
charging: {threshold: many, validity: soon}
invoices: {}
invoices: {}
"""


def tpo(*arguments, cwd=ROOT, **environ):
    return warm_start.run(arguments, timeout=300, cwd=cwd, env={"PATH": "/usr/bin:/bin", **environ})


def test_config_check_of_the_shipped_configuration_exits_0():
    done = tpo("config", "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "config/gateway.yaml: good (plans: 3, causes: 6, Diameter peers: 1)\n"


def test_config_check_tells_ten_problems_together_and_exits_78(tmp_path):
    (tmp_path / "bad.yaml").write_text(TEN_MISTAKES)
    done = tpo("config", "check", "--config", "bad.yaml", cwd=tmp_path)
    assert done.returncode == 78
    problems = [line for line in done.stdout.splitlines() if "warning" not in line]
    assert [tuple(line.split(": ")[:2]) for line in problems] == [
        ("bad.yaml:1", "operator.currency"),
        ("bad.yaml:2", "store.url"),
        ("bad.yaml:4", "api.listen"),
        ("bad.yaml:6", "api.tokens[0].role"),
        ("bad.yaml:6", "api.tokens[0].token"),
        ("bad.yaml:8", "diameter.identity"),
        ("bad.yaml:10", "diameter.lisen"),
        ("bad.yaml:11", "charging.validity"),
        ("bad.yaml:11", "charging.threshold"),
        ("bad.yaml:12", "invoices"),
        ("bad.yaml:13", "invoices"),
    ]
    assert "diameter.lisen: unknown key; did you mean `listen`?" in done.stdout
    assert "invoices: is given twice; the first is on line 12" in done.stdout
    assert done.stderr == "tpo: 11 problems: the gateway would not start with bad.yaml\n"


def test_config_check_reports_as_json(tmp_path):
    (tmp_path / "bad.yaml").write_text(TEN_MISTAKES)
    done = tpo("config", "check", "--json", TPO_CONFIG=str(tmp_path / "bad.yaml"))
    report = json.loads(done.stdout)
    assert (done.returncode, report["ok"]) == (78, False)
    assert {"file", "line", "key", "message", "severity"} == set(report["problems"][0])


def test_warnings_are_told_and_exit_0(tmp_path):
    config = tmp_path / "gateway.yaml"
    config.write_text(
        "operator: {name: T}\nstore: {url: sqlite:///t.db}\napi: {tokens: [{name: v, role: viewer, token: canary}]}\n"
    )
    done = tpo("--config", str(config), "config", "check")
    assert done.returncode == 0
    assert f"{config}:3: api.tokens[0].token: warning: a literal secret" in done.stdout
    assert "canary" not in done.stdout


@pytest.mark.parametrize("form", [["--json"], []])
def test_config_show_never_shows_a_secret(tmp_path, form):
    config = tmp_path / "gateway.yaml"
    config.write_text(
        "operator: {name: T}\nstore: {url: 'postgresql://u:canary@h/d'}\n"
        "api: {tokens: [{name: v, role: viewer, token: canary}, {name: w, role: admin, token: {env: TPO_T}}]}\n"
    )
    done = tpo("config", "show", *form, "--config", str(config), TPO_T="canary")
    assert done.returncode == 0
    assert "canary" not in done.stdout + done.stderr
    assert "********" in done.stdout
    assert "TPO_T" in done.stdout
    assert "postgresql://u@h/d" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["config", "nonsense"],
        ["config", "check", "--nonsense"],
        ["config", "check", "extra"],
        ["--config"],
        [],
    ],
)
def test_usage_errors_exit_64(arguments):
    done = tpo(*arguments)
    assert done.returncode == 64
    assert done.stderr != ""
    assert done.stdout == ""


def test_a_command_with_a_configuration_that_is_not_there_exits_78(tmp_path):
    done = tpo("config", "show", cwd=tmp_path)
    assert done.returncode == 78
    assert "config/gateway.yaml:1: file: can't be read: No such file or directory" in done.stderr
    assert "what to do: " in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["config", "--help"], ["config", "check", "--help"], ["--version"]])
def test_help_and_version_exit_0(arguments, capsys):
    assert main(arguments) == 0
    assert "tpo" in capsys.readouterr().out


def commands(group, path=()):
    for name in groups.OWN if group is None else group.commands:
        command = groups.LazyGroup(name="tpo").get_command(None, name) if group is None else group.commands[name]
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_every_command_has_help_with_examples():
    found = dict(commands(None))
    assert {"config check", "config show"} <= set(found)
    assert [name for name, command in found.items() if "Examples:\n  tpo " not in (command.help or "")] == []


def test_config_may_stand_at_either_end(capsys):
    for arguments in (
        ["--config", str(SHIPPED), "config", "check"],
        ["config", "check", "--config", str(SHIPPED)],
        ["config", f"--config={SHIPPED}", "check"],
    ):
        assert main(arguments) == 0
        assert str(SHIPPED) in capsys.readouterr().out


def test_a_guest_command_is_found_and_a_broken_one_leaves_the_rest(monkeypatch, capsys):
    guests = [
        EntryPoint("guest", "gateway.cli.commands.config:app", groups.ENTRY_POINTS),
        EntryPoint("broken", "no.such.module:app", groups.ENTRY_POINTS),
        EntryPoint("config", "no.such.module:app", groups.ENTRY_POINTS),
    ]
    monkeypatch.setattr(groups, "entry_points", lambda group: guests if group == "tpo.commands" else [])
    assert main(["guest", "check", "--config", str(SHIPPED)]) == 0
    assert main(["config", "check", "--config", str(SHIPPED)]) == 0
    assert main(["--help"]) == 0
    assert "(doesn't load: ModuleNotFoundError" in capsys.readouterr().out
    assert main(["broken", "anything", "--at-all"]) == 1
    assert "the command broken doesn't load: ModuleNotFoundError" in capsys.readouterr().err


def test_the_help_of_one_command_imports_nothing_heavy():
    script = "import sys; from gateway.cli import main; main(['--version'])\n"
    script += "print(sorted({'pydantic', 'rich', 'aiohttp', 'sqlalchemy', 'yaml', 'asyncio'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True, timeout=300
    )
    assert done.stdout.splitlines()[1] == "[]"
