"""Every command of `tpo`, guests and all: its help, its examples, its --json, and how it ends where it cannot work."""

import inspect
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from support import new_stores
from typer.main import get_command

from gateway.cli import main
from gateway.cli.main import _config_first, root

CONFIG = Path(__file__).parents[4] / "config"
SILENT = {"run"}
"""A daemon reports by its log."""
RUNS_ON = ("init", "run", "demo", "simulate", "replay")
"""Commands that would start something and stay, or need no gateway of this configuration."""
LINES = re.compile(r"^Examples:\n((?:  tpo .*\n?)+)", re.MULTILINE)


def walk(group, ctx, path=()):
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        yield (*path, name), command
        if hasattr(command, "list_commands"):
            yield from walk(command, ctx, (*path, name))


def tree():
    top = get_command(root)
    return {" ".join(path): command for path, command in walk(top, top.make_context("tpo", [], resilient_parsing=True))}


TREE = tree()
LEAVES = {name: command for name, command in TREE.items() if not hasattr(command, "list_commands")}


def examples(command):
    return [
        line.strip() for found in LINES.findall(inspect.cleandoc(command.help or "")) for line in found.splitlines()
    ]


def words(example):
    """The arguments of each `tpo` in a line, without what the shell does with it."""
    for part in re.split(r"\s(?:&&|\|)\s", example):
        yield shlex.split(part.partition(" > ")[0])[1:]


@cache
def parse(*arguments):
    """Parse as `tpo` would, to the last option, and run nothing; gives the command's name."""
    group, name = get_command(root), []
    ctx = group.make_context("tpo", _config_first(list(arguments)))
    while hasattr(group, "resolve_command"):
        rest = [*ctx._protected_args, *ctx.args]
        called, group, rest = group.resolve_command(ctx, rest)
        name.append(called)
        ctx = group.make_context(called, rest, parent=ctx)
    return " ".join(name)


def test_guests_are_walked_too():
    assert {"demo", "simulate pgw", "simulate smsc", "simulate host-api", "sim bulk", "status"} <= set(LEAVES)


@pytest.mark.parametrize("name", TREE)
def test_help_begins_with_a_sentence_that_says_what_it_is_for(name):
    first = inspect.cleandoc(TREE[name].help or "").partition("\n\n")[0].replace("\n", " ")
    assert first[:1].isupper()
    assert first.endswith(".")


@pytest.mark.parametrize("name", LEAVES)
def test_examples_are_there_and_parse_against_the_real_commands(name):
    found = examples(LEAVES[name])
    assert found
    called = {parse(*arguments) for example in found for arguments in words(example)}
    assert name in called


@pytest.mark.parametrize("name", TREE)
def test_every_argument_and_option_has_a_help_text(name):
    assert [p.name for p in TREE[name].params if p.name != "help" and not getattr(p, "help", None)] == []


LIMITED = [name for name, leaf in LEAVES.items() if any("--limit" in p.opts for p in leaf.params)]


@pytest.mark.parametrize("limit", ["0", "-1"])
@pytest.mark.parametrize("name", LIMITED)
def test_a_list_of_no_rows_is_a_usage_error_wherever_a_list_has_a_limit(name, limit, capsys):
    assert main([*name.split(), "--limit", limit]) == 64
    assert "Invalid value for '--limit'" in capsys.readouterr().err


def test_every_command_that_reports_or_does_takes_json():
    without = {name for name, leaf in LEAVES.items() if not any("--json" in p.opts for p in leaf.params)}
    assert without == SILENT


def test_the_top_shows_where_to_begin_and_every_command_once(capsys):
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert told.index("First steps:") < told.index("Begin here:") < told.index("Lines and cards:")
    for name in (name for name in TREE if " " not in name):
        assert len(re.findall(rf"^  {name}  ", told, re.MULTILINE)) == 1


@pytest.mark.parametrize(
    ("arguments", "meant"), [(["statsu"], "status"), (["link", "lst"], "list"), (["status", "--jsno"], "--json")]
)
def test_what_is_misspelt_gets_what_was_meant(arguments, meant, capsys):
    assert main(arguments) == 64
    assert meant in capsys.readouterr().err


BUSY = [name for name in LEAVES if name.split()[0] not in RUNS_ON]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TPO_CONFIG", raising=False)
    return tmp_path


def first_example(name):
    return next(a for e in examples(LEAVES[name]) for a in words(e) if parse(*a) == name and "--config" not in a)


@pytest.mark.parametrize("name", [*BUSY, "run"])
def test_a_broken_configuration_exits_78_and_says_where(name, folder, capsys):
    (folder / "bad.yaml").write_text("operator: {name: T, currency: Pounds}\nlinks: []\n")
    arguments = ["run"] if name == "run" else first_example(name)
    code = main(["--config", "bad.yaml", *arguments])
    told = capsys.readouterr()
    assert code == 78
    assert "bad.yaml" in told.err + told.out
    assert "Traceback" not in told.err
    assert name == "config check" or "what to do:" in told.err


@pytest.mark.parametrize("name", BUSY)
def test_a_stopped_gateway_ends_each_command_with_advice_or_from_the_store(name, folder, capsys):
    (folder / "gateway.yaml").write_text(
        "operator: {name: T}\nstore: {url: sqlite:///t.db}\napi: {socket: t.sock}\n"
        f"plans: {CONFIG}/plans.yaml\ncauses: {CONFIG}/causes.yaml\n"
    )
    new_stores.place(folder / "t.db")
    code = main(["--config", "gateway.yaml", *first_example(name)])
    told = capsys.readouterr()
    assert code in {0, 1, 69, 78}
    assert "Traceback" not in told.err
    if code == 69:
        assert "start it with `tpo run`" in told.err
    elif code:
        assert told.err.startswith("tpo: ")
        assert "what to do: " in told.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["simulate", "network", "--with-gateway", "--config", "absent.yaml"], 1),
        (["simulate", "pgw", "--gateway", "127.0.0.1:1", "--patience", "0", "--subscribers", "lines.csv"], 69),
        (["simulate", "pgw", "--subscribers", "absent.csv"], 1),
        (["simulate", "pgw", "--gateway", "nowhere"], 64),
        (["simulate", "pgw", "--gateway", "127.0.0.1:\u00b2"], 64),
        (["simulate", "pgw", "--gateway", f"127.0.0.1:{'9' * 5000}"], 64),
        (["simulate", "pgw", "--profile", "nobody"], 64),
        (["simulate", "smsc", "--host", "192.0.2.1", "--port", "0"], 1),
    ],
)
def test_simulators_that_cannot_work_say_so(arguments, code, folder, capsys):
    (folder / "lines.csv").write_text("imsi,msisdn\n001010000000001,447700900101\n")
    assert main(arguments) == code
    told = capsys.readouterr().err
    assert told
    assert "Traceback" not in told


@pytest.mark.parametrize("name", LEAVES)
def test_nonsense_exits_64_and_names_the_help(name, capsys):
    assert main([*name.split(), "--nonsense"]) == 64
    told = capsys.readouterr()
    assert told.out == ""
    assert f"Try 'tpo {name} --help' for help." in told.err


def test_what_a_person_typed_steers_no_terminal(capsys):
    assert main(["status", "\u202e\x1b[2J"]) == 64
    told = capsys.readouterr().err
    assert "unexpected extra argument" in told
    assert "\u202e" not in told
    assert "\x1b" not in told


@pytest.mark.parametrize(
    "words",
    [
        ["bill-limit", "447700900123", "--month", "2026-12"],
        ["bill-limit", "447700900123", "--channel", "call", "--wording", "1"],
        ["bill-limit", "447700900123", "--abroad"],
        ["preferences", "447700900123", "--reason", "asked by phone"],
    ],
)
def test_what_is_said_of_a_change_without_the_change_is_a_usage_error_and_shows_nothing(words, capsys):
    assert main(["subscriber", *words]) == 64
    told = capsys.readouterr()
    assert (told.out, "say what the customer" in told.err) == ("", True)


SIGNED = ["charity profit-share"]
"""A loss is below zero."""


@pytest.mark.parametrize("name", [name for name in LEAVES if name not in SIGNED])
@pytest.mark.parametrize("below", ["-10", "-0.50", "-.5"])
def test_a_value_below_zero_is_no_option_that_is_not_there(name, below, capsys):
    assert main([*name.split(), below]) == 64
    told = capsys.readouterr()
    assert told.out == ""
    assert f"{below}: amounts and numbers are positive" in told.err
    assert f"Try 'tpo {name} --help' for help." in told.err


@pytest.mark.parametrize("name", SIGNED)
def test_a_loss_is_taken_as_what_it_is(name, folder, capsys):
    assert main([*name.split(), "2026-11", "-10"]) == 78
    assert "No such option" not in capsys.readouterr().err


def test_a_value_below_zero_is_told_of_in_json_too_and_an_option_that_is_not_there_as_before(capsys):
    assert main(["subscriber", "topup", "447700900123", "-10", "--json"]) == 64
    assert "-10: amounts and numbers are positive" in capsys.readouterr().err
    assert main(["subscriber", "topup", "447700900123", "-x10"]) == 64
    assert "No such option: -x" in capsys.readouterr().err
