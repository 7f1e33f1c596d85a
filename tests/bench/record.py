"""Writes what a run found into docs/performance.md: the table of the latest run, and a line of the history."""

import subprocess
from pathlib import Path

from tests.bench import report as reports

FILE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
HISTORY = (
    "charging.of_echo",
    "charging.of_reference",
    "charging.turns",
    "charging.p99_ms",
    "charging.more_lines",
    "charging.postgresql_of_sqlite",
    "charging.two_gateways_cpu",
    "texts.out_of_link",
    "texts.in_of_link",
    "texts.out_turns",
    "texts.in_turns",
)
"""The figures that a line of the history has, in its order."""


def record(report, date, commit, file):
    """Replace the latest table, and put a line at the end of the history."""
    text = file.read_text()
    text = _between(text, "latest", lambda _old: latest(report, date, commit))
    text = _between(text, "history", lambda old: f"{old.rstrip()}\n{line(report, date, commit)}\n")
    file.write_text(text)


def latest(report, date, commit):
    """The parts as tables, and the conditions that they were measured under."""
    lines = [f"{date}, {commit}. Machine: {reports.words(report['machine'])}."]
    for name, part in report["parts"].items():
        columns = [column for column in reports.COLUMNS if any(column in row for row in part["rows"].values())]
        lines += ["", f"**{name}** ({reports.words(part['conditions'])})", ""]
        lines.append(_row(["", *(reports.COLUMNS[column] for column in columns)]))
        lines.append("|---" * (len(columns) + 1) + "|")
        lines += [
            _row([subject, *(row.get(column, "") for column in columns)]) for subject, row in part["rows"].items()
        ]
        lines += ["", "; ".join(f"{figure} {value:g}" for figure, value in part["figures"].items()) + "."]
    return "\n".join(lines) + "\n"


def line(report, date, commit):
    """One row of the history."""
    return _row([date, commit, *(_cell(report["figures"].get(name)) for name in HISTORY)])


def heading():
    """The head of the history's table."""
    return f"{_row(['date', 'commit', *HISTORY])}\n" + "|---" * (len(HISTORY) + 2) + "|"


def commit():
    """The commit that was measured; `+` behind it where the tree differs from it."""
    root = FILE.parents[1]
    words = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "no commit"


def _between(text, name, change):
    """Change what stands between the marks of this name."""
    begin, end = f"<!-- bench:{name} -->\n", "<!-- bench:end -->"
    before, _, rest = text.partition(begin)
    old, found, after = rest.partition(end)
    if text.count(begin) != 1 or not found:
        message = f"docs/performance.md needs one {begin.strip()} and an {end} after it"
        raise ValueError(message)
    return before + begin + change(old) + end + after


def _row(cells):
    return f"| {' | '.join(map(str, cells))} |"


def _cell(value):
    return "" if value is None else f"{value:g}"
