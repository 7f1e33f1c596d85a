"""How commands fail: one shape of JSON for all, one line where the output cannot be written."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.scripted_gateway import Refuse, scripted, write_config

from gateway.cli import main

MEMBERS = ["type", "title", "status", "code", "detail", "where", "to_do", "exit_code"]
ONE_LINE = "tpo: the output cannot be written: No space left on device\n"


@pytest.fixture
def config(tmp_path):
    return str(write_config(tmp_path))


def failed(capsys, *arguments):
    """Run a command that fails; gives its exit code and the problem on standard error."""
    code = main(arguments)
    said = capsys.readouterr()
    assert said.out == ""
    problem = json.loads(said.err)
    assert list(problem) == MEMBERS
    assert problem["exit_code"] == code
    return code, problem


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (["status"], 69, "daemon_unreachable"),
        (["sms", "list"], 69, "daemon_unreachable"),
        (["sim", "show", "894410"], 1, "identifier.iccid"),
        (["subscriber", "show", "447700900001"], 1, "subscriber.unknown"),
        (["subscriber", "import", "none.csv"], 1, "command.failed"),
        (["sim", "list", "--bogus"], 64, "command.usage"),
        (["sim", "list", "--limit", "many"], 64, "command.usage"),
        (["sim", "lst"], 64, "command.usage"),
        (["nonsense"], 64, "command.usage"),
        (["sim", "terminate", "8944100000000000018"], 64, "command.usage"),
        (["replay", "none.pcap"], 1, "command.failed"),
        (["trace", "start", "--msisdn", "447700900001", "--for", "\u00b2"], 64, "command.usage"),
        (["charity", "paid", "/dev/zero"], 1, "command.failed"),
        (["bill", "paid", "/dev/zero"], 1, "command.failed"),
        (["usage", "export", "--from", "yesterday"], 64, "command.usage"),
    ],
)
def test_every_failure_of_a_command_with_json_is_one_problem_object_on_stderr(config, capsys, arguments, code, named):
    found, problem = failed(capsys, "--config", config, *arguments, "--json")
    assert (found, problem["code"]) == (code, named)
    assert problem["type"] == f"urn:tpo:problem:{named}"


FILES = [
    ("ledger", "check", "--seals", "FILE"),
    ("charity", "register", "FILE", "--regulator", "GB-CHC", "--as-of", "2026-11-01"),
    ("charity", "paid", "FILE"),
    ("charity", "bank", "wateraid", "--details", "FILE"),
    ("charity", "report", "2026-10", "--policy", "FILE"),
    ("bill", "paid", "FILE"),
    ("subscriber", "import", "FILE"),
    ("sim", "import", "FILE"),
    ("sim", "bulk", "FILE"),
    ("db", "restore", "FILE"),
    ("replay", "FILE", "--dry-run"),
    ("simulate", "smsc", "--scenario", "FILE"),
    ("simulate", "pgw", "--subscribers", "FILE"),
]
"""The commands that read a file which they are given the name of."""


@pytest.mark.timeout(120)
@pytest.mark.parametrize("words", FILES, ids=lambda words: "-".join(words[:2]))
def test_what_is_named_as_a_file_and_has_no_end_or_is_none_is_refused_and_named(config, capsys, tmp_path, words):
    os.mkfifo(tmp_path / "pipe")
    for named in ("/dev/zero", str(tmp_path / "pipe"), str(tmp_path)):
        arguments = [named if word == "FILE" else word for word in words]
        code, problem = failed(capsys, "--config", config, *arguments, "--json")
        assert code == 1, problem
        assert named in problem["detail"] + (problem["where"] or ""), problem


def test_a_configuration_that_is_not_good_is_a_problem_too(capsys, tmp_path):
    (tmp_path / "bad.yaml").write_text("operator: 1\n")
    code, problem = failed(capsys, "--config", str(tmp_path / "bad.yaml"), "sim", "list", "--json")
    assert (code, problem["code"]) == (78, "config_invalid")
    assert "bad.yaml:1: operator" in problem["detail"]


def test_a_refusal_of_the_gateway_keeps_its_own_code_and_status(config, capsys, tmp_path):
    with scripted(tmp_path, link__list={"rows": []}, order__show=Refuse(409, "order.state", "it is done")):
        code, problem = failed(capsys, "--config", config, "order", "show", "7", "--json")
    assert (code, problem["status"], problem["code"], problem["detail"]) == (1, 409, "order.state", "it is done")


def test_without_json_and_behind_two_dashes_people_read_sentences(config, capsys):
    for words in (["sim", "show", "894410"], ["subscriber", "show", "--", "--json"]):
        assert main(["--config", config, *words]) in (1, 64)
        assert capsys.readouterr().err.startswith("tpo: ")


def run(*arguments, out="/dev/full"):
    with Path(out).open("w") as stream:
        words = [sys.executable, "-m", "gateway.cli", *arguments]
        return subprocess.run(words, stdout=stream, stderr=subprocess.PIPE, text=True, check=False, timeout=300)


@pytest.mark.parametrize("words", [["sim", "list"], ["usage", "export"], ["--version"], ["sim", "--help"]])
def test_an_output_that_is_full_is_told_in_one_line_and_fails(config, words):
    done = run("--config", config, *words)
    assert (done.returncode, done.stderr) == (1, ONE_LINE)


def test_a_full_output_is_a_problem_object_where_json_was_asked_for(config):
    done = run("--config", config, "sim", "list", "--json")
    assert (done.returncode, json.loads(done.stderr)["code"]) == (1, "command.failed")


@pytest.mark.parametrize(
    ("how", "said"),
    [(">&-", "tpo: the output cannot be written: Bad file descriptor\n"), (">&- 2>&-", ""), ("2>/dev/full", "")],
)
def test_closed_and_full_streams_end_in_an_exit_code(config, how, said):
    command = f'"{sys.executable}" -m gateway.cli --config "{config}" config show {how}'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0 if how == "2>/dev/full" else 1, said)


def test_a_reader_that_has_seen_enough_is_no_complaint(config):
    command = f'"{sys.executable}" -m gateway.cli --config "{config}" config show | head -c 1'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=300)
    assert (done.stdout, done.stderr) == ("f", "")


def test_a_terminal_of_few_letters_gets_all_texts_escaped_and_json_that_is_json(config, tmp_path):
    rows = {"rows": [{"name": "caf\u00e9 \U0001f600"}], "next": None}
    environ = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    with scripted(tmp_path, sms__list=rows, sms__show=rows):
        for words in (["sms", "show", "7"], ["sms", "show", "7", "--json"]):
            command = [sys.executable, "-m", "gateway.cli", "--config", config, *words]
            done = subprocess.run(command, capture_output=True, env=environ, check=False, timeout=300)
            assert (done.returncode, done.stderr) == (0, b"")
            assert done.stdout.isascii()
    assert json.loads(done.stdout) == rows
