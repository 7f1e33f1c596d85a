"""How far an import is: told from time to time where there is no terminal, drawn where there is one."""

import io
import itertools

from gateway.cli.row_progress import REPORT_SECONDS, row_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_without_a_terminal_a_line_tells_it_from_time_to_time(capsys):
    ticks = itertools.count(0.0, REPORT_SECONDS / 4)
    with row_progress(300_000, clock=lambda: next(ticks)) as show:
        for done in range(2_000, 22_000, 2_000):
            show(done)
    told = capsys.readouterr()
    assert told.err.splitlines() == ["8,000 of 300,000 rows, 800 a second", "16,000 of 300,000 rows, 800 a second"]
    assert told.out == ""


def test_on_a_terminal_a_bar_shows_it(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with row_progress(5_000) as show:
        show(2_000)
    assert "2000/5000" in terminal.getvalue()
