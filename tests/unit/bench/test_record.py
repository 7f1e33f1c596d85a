"""What a run leaves in docs/performance.md: nothing, unless it is asked to."""

import pytest

from tests.bench import __main__ as bench
from tests.bench import record

TEXT = f"""# Speed
<!-- bench:latest -->
an old table
<!-- bench:end -->
between
<!-- bench:history -->
{record.heading()}
| 2026-01-01 | abc |
<!-- bench:end -->
after
"""
REPORT = {
    "parts": {
        "charging": {
            "rows": {"echo": {"rate": 10, "turns": 3}, "sqlite": {"rate": 5, "turns": 6, "p99_ms": 2.5}},
            "figures": {"charging.of_echo": 0.5, "charging.turns": 6},
            "conditions": {"rounds": 5},
        }
    },
    "figures": {"charging.of_echo": 0.5, "charging.turns": 6},
    "machine": {"cores_used_by_others": 0.0, "cores_kept_by_the_host": 0.0},
    "ok": True,
}


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page to record in, and a bench that measures nothing."""
    file = tmp_path / "performance.md"
    file.write_text(TEXT)
    monkeypatch.setattr(record, "FILE", file)
    monkeypatch.setattr(bench, "_measure", lambda *_: REPORT | {"parts": {}, "missed": [], "wrong": []})
    return file


def test_the_latest_table_is_replaced_and_the_history_gets_a_line_more(tmp_path):
    file = tmp_path / "performance.md"
    file.write_text(TEXT)
    record.record(REPORT, "2026-11-26", "def", file)
    text = file.read_text()
    assert "an old table" not in text
    assert "| sqlite | 5 | 6 | 2.5 |" in text
    assert "| 2026-01-01 | abc |\n| 2026-11-26 | def | 0.5 |  | 6 |" in text
    assert text.startswith("# Speed\n")
    assert text.endswith("<!-- bench:end -->\nafter\n")
    assert "\nbetween\n" in text


def test_the_first_run_is_recorded_where_nothing_stands_yet(tmp_path):
    file = tmp_path / "performance.md"
    file.write_text(TEXT.replace("an old table\n", "").replace("| 2026-01-01 | abc |\n", ""))
    record.record(REPORT, "2026-11-26", "def", file)
    assert file.read_text().count("2026-11-26") == 2


def test_a_page_without_a_place_for_the_figures_is_left_as_it_is(tmp_path):
    file = tmp_path / "performance.md"
    file.write_text("# Speed\n")
    with pytest.raises(ValueError, match="bench:latest"):
        record.record(REPORT, "2026-11-26", "def", file)
    assert file.read_text() == "# Speed\n"


def test_a_run_writes_the_page_only_if_it_is_asked_to(page, capsys):
    assert bench.main([]) == 0
    assert page.read_text() == TEXT
    assert bench.main(["--record"]) == 0
    assert page.read_text() != TEXT
    assert "machine: cores used by others 0.0" in capsys.readouterr().out


def test_the_page_of_the_project_has_a_place_for_the_figures():
    text = record.FILE.read_text()
    assert text.count("<!-- bench:latest -->") == text.count("<!-- bench:history -->") == 1
    assert record.heading() in text
