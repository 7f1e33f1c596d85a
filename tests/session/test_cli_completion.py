"""Completion as the shells ask for it, and once in a real bash."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import warm_start

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config/network.yaml"


def ask(line, *, shell="bash", **environ):
    """What a shell is told for this line, whose last word is being written."""
    asked = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    if shell == "zsh":
        asked = {"_TYPER_COMPLETE_ARGS": line}
    elif shell == "fish":
        asked = {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    env = {**os.environ, "TPO_CONFIG": str(CONFIG), **asked, **environ, "_TPO_COMPLETE": f"complete_{shell}"}
    done = warm_start.run([], timeout=300, env=env)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("tpo li", ["link"]),
        ("tpo link sus", ["suspend"]),
        ("tpo status --wa", ["--watch"]),
        ("tpo link show ", ["host"]),
        ("tpo sim activate 1 --plan payg-", ["payg-gb", "payg-us"]),
        ("tpo sim activate 1 --cause wat", ["wateraid"]),
        ("tpo sim suspend 1 --reason lo", ["lost"]),
        ("tpo sim reconcile --host ", ["host"]),
        ("tpo session list --peer pgw", ["pgw.host.example"]),
        ("tpo order list --state comp", ["compensated"]),
        ("tpo sms list --state dou", ["doubtful"]),
        ("tpo simulate pgw --profile sta", ["standard", "staros"]),
    ],
)
def test_groups_commands_options_and_names_are_completed(line, offered):
    assert ask(line).split() == offered


def test_config_may_stand_in_the_middle_of_the_line():
    assert ask(f"tpo link show --config {CONFIG} ", TPO_CONFIG="nowhere.yaml").split() == ["host"]


@pytest.mark.parametrize("text", ["smpp: [", "nonsense: 1\n"])
def test_a_broken_configuration_completes_nothing_and_says_nothing(text, tmp_path):
    (tmp_path / "bad.yaml").write_text(text)
    assert ask("tpo link show ", TPO_CONFIG=str(tmp_path / "bad.yaml")).split() == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_are_told_the_same(shell):
    assert "host" in ask("tpo link show ", shell=shell)
    assert "suspend" in ask("tpo link sus", shell=shell)


@pytest.mark.parametrize(
    ("words", "cursor", "offered"), [("tpo link sus", 2, "suspend"), ("tpo link show ''", 3, "host")]
)
def test_a_real_bash_completes(words, cursor, offered, tmp_path):
    program = tmp_path / "tpo"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nfrom gateway.cli import main\nsys.argv[0] = 'tpo'\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    script = f"""source <(tpo --show-completion bash)
COMP_WORDS=({words}); COMP_CWORD={cursor}
eval "$(complete -p tpo | sed 's/.*-F \\([^ ]*\\).*/\\1/') tpo"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "TPO_CONFIG": str(CONFIG)}
    bash = shutil.which("bash")
    done = subprocess.run([bash, "-c", script], capture_output=True, text=True, env=env, check=False, timeout=300)
    assert (done.stdout.split(), done.stderr) == ([offered], "")
