"""Tables on a terminal of any width, by a real pseudo-terminal; and what of them a pipe gets."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.cli.output import emit

ROOT = Path(__file__).parents[4]
ORDERS = [
    {
        "id": 1099511627916 + number,
        "kind": "activate",
        "state": "compensated",
        "iccid": f"894410000000000{number:04}",
        "host": "operator-hlr",
        "error": None if number % 2 else "the host refused the number: it belongs to another line there " * 2,
        "actor": "socket:0",
        "updated_at": "2026-11-24T03:28:25.962955Z",
    }
    for number in range(3)
]
BOOKS = [{"account": "cause:emerge-poverty-free", "currency": "GBP", "balance": "360.55"}]
CARDS = [
    {"iccid": "8944100000000001990", "state": "active", "suspended_for": [], "msisdn": "44********99", "order": None}
]
ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(result, width, **environ):
    """What `emit` writes to a terminal of this width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    script = "import json, sys; from gateway.cli.output import emit; emit(json.loads(sys.argv[1]), as_json=False)"
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    process = subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(result)],
        stdout=theirs,
        cwd=ROOT,
        env={**env, "TERM": "xterm", **environ},
    )
    os.close(theirs)
    written = b""
    try:
        while piece := os.read(ours, 65536):
            written += piece
    except OSError:  # the other end is closed (EIO)
        pass
    finally:
        os.close(ours)
    assert process.wait(60) == 0
    return written.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("result", [ORDERS, BOOKS, CARDS, ORDERS[0], {"counters": "many=1 words=2 " * 20}])
def test_no_row_is_wider_than_the_terminal_and_numbers_stay_whole(width, result):
    told = ESCAPES.sub("", on_terminal(result, width))
    assert max(len(line.rstrip()) for line in told.splitlines()) <= width
    for row in result if isinstance(result, list) else [result]:
        for whole in (row.get("iccid"), row.get("id")):
            assert whole is None or str(whole) in told


def test_what_does_not_fit_becomes_a_record_each():
    records = ESCAPES.sub("", on_terminal(ORDERS, 60)).strip().split("\n\n")
    assert [re.match(r"id +(\d+)\n", record)[1] for record in records] == [str(row["id"]) for row in ORDERS]
    assert "kind        activate\n" in records[0]


def test_what_fits_is_a_table_with_each_card_on_a_line():
    line = ESCAPES.sub("", on_terminal(CARDS, 80)).strip().splitlines()[-1]
    assert line.split() == ["8944100000000001990", "active", "-", "44********99", "-"]


def test_money_stands_with_its_currency():
    assert "360.55 GBP" in on_terminal(BOOKS, 80)


def test_a_time_is_told_as_what_has_passed_since():
    before = datetime.fromtimestamp(time.time() - 200, UTC).isoformat()
    assert "3m ago" in on_terminal([{"name": "host", "since": before}], 80)
    assert f"{before} (3m ago)" in on_terminal({"since": before}, 80)


def test_colour_and_weight_are_for_terminals_that_want_them():
    assert ESCAPES.search(on_terminal(BOOKS, 80))
    assert not ESCAPES.search(on_terminal(BOOKS, 80, NO_COLOR="1"))


def test_a_pipe_gets_whole_rows_with_the_names_of_json(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    emit(ORDERS, as_json=False)
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == list(ORDERS[0])
    assert len(lines) == 3
    assert "2026-11-24T03:28:25.962955Z" in lines[0]
    assert ORDERS[0]["error"].strip() in lines[0]
