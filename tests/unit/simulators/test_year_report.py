"""The page of a simulated year, and what its proofs keep."""

from simulators.year.proofs import Proofs
from simulators.year.report import MonthFigures, Result, page

MONTH = MonthFigures("2025-01", 3000, 29111, "11884.53", 2974, "0.00", "1127.09", "700.00", "0.00", "512.00", 12.5)


def result(*failures):
    return Result(
        3000, 1, [MONTH], {"control totals add up": 12}, {"late uses": 30}, "PASS 50 bills", list(failures), 61.0
    )


def test_a_page_has_a_line_for_each_month_under_its_heads_and_says_what_was_proved():
    lines = list(page(result()))
    assert len(lines[0]) == len(lines[1])
    assert lines[1].split()[:5] == ["2025-01", "3,000", "29,111", "11884.53", "2,974"]
    assert lines[1].split()[5:] == ["0.00", "1127.09", "700.00", "0.00", "512.00", "12.5"]
    assert "         12  control totals add up" in lines
    assert lines[-1] == "Everything held."


def test_what_does_not_hold_is_told_in_place_of_that_it_does():
    assert list(page(result("2025-01: control totals add up: 1, expected 0")))[-2:] == [
        "DID NOT HOLD:",
        "  2025-01: control totals add up: 1, expected 0",
    ]
    assert not result("something").held


def test_a_proof_counts_what_holds_and_keeps_the_place_of_what_does_not():
    proofs = Proofs()
    proofs.hold("sums add up", 1, 1, "2025-01")
    proofs.hold("sums add up", 1, 2, "2025-02")
    assert proofs.proved == {"sums add up": 1}
    assert proofs.failures == ["2025-02: sums add up: 1, expected 2"]
