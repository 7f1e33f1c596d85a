"""One way to print: a table, pairs, or JSON."""

import json
from decimal import Decimal
from pathlib import Path

from gateway.cli.output import emit

ROWS = [{"account": "revenue", "balance": "10.00", "open": True}, {"account": "cause:wwf", "balance": None, "n": 5}]


def test_json_is_whole_and_plain(capsys):
    emit({"path": Path("/a"), "amount": Decimal("7.50"), "rows": ROWS}, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"path": "/a", "amount": "7.50", "rows": ROWS}


def test_rows_are_a_table_with_every_column(capsys):
    emit(ROWS, as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["account", "balance", "open", "n"],
        ["revenue", "10.00", "yes", "-"],
        ["cause:wwf", "-", "-", "5"],
    ]


def test_a_pipe_gets_each_row_on_one_line_uncut(capsys):
    emit([{"a": "x" * 500, "b": "[red]y[/red]"}], as_json=False)
    assert f"{'x' * 500}  [red]y[/red]" in capsys.readouterr().out


def test_pairs_scalars_and_nothing(capsys):
    emit({"a": [1, 2], "long": {"x": 1, "y": []}}, as_json=False)
    emit([], as_json=False)
    emit("done", as_json=False)
    assert capsys.readouterr().out == "a     1, 2\nlong  x=1 y=-\nnone\ndone\n"


def test_what_others_wrote_does_not_steer_the_terminal(capsys):
    emit([{"name": "a\x1b[31mb\nc"}], as_json=False)
    emit({"name": "a\x1b[31mb"}, as_json=False)
    assert "\x1b" not in capsys.readouterr().out
