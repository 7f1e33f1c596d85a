"""Floors: what is held to them, and what they decide."""

import io

import pytest

from tests.bench import bills, charging, floors, month, proof, report, sims, texts
from tests.bench.rounds import Round

BOUNDS = {
    "a.ratio": floors.Floor("a.ratio", "because", at_least=0.5),
    "a.cost": floors.Floor("a.cost", "because", at_most=10),
    "a.p99_ms": floors.Floor("a.p99_ms", "because", at_most=25, decides=False),
}


def of(figures, check=True, others=0.1):
    part = {
        "rows": {"x": {"rate": 1}},
        "figures": figures,
        "sizes": {},
        "conditions": {},
        "checks": {"books": {"ok": check}},
    }
    return report.assemble({"a": part}, {"cores_used_by_others": others, "cores_kept_by_the_host": 0.0}, BOUNDS)


@pytest.mark.parametrize(
    ("figures", "missed"),
    [
        ({"a.ratio": 0.5, "a.cost": 10}, []),
        ({"a.ratio": 0.499, "a.cost": 10}, ["a.ratio"]),
        ({"a.ratio": 0.6, "a.cost": 10.1}, ["a.cost"]),
        ({"a.cost": 3}, []),
        ({"a.p99_ms": 99}, []),
        ({"a.other": 0}, []),
    ],
)
def test_a_run_fails_where_a_ratio_misses_its_floor_and_not_by_milliseconds_or_by_what_was_not_measured(
    figures, missed
):
    found = of(figures)
    assert found["missed"] == missed
    assert report.exit_code(found) == (1 if missed else 0)


def test_a_run_fails_where_the_books_are_wrong():
    found = of({"a.ratio": 0.9}, check=False)
    assert (found["wrong"], report.exit_code(found)) == (["a, books"], 1)


def test_each_figure_is_printed_beside_its_floor_and_a_missed_one_with_its_reason():
    out = io.StringIO()
    report.write(of({"a.ratio": 0.4, "a.cost": 3, "a.p99_ms": 99}), BOUNDS, out)
    assert "MISSED: a.ratio is 0.4, at least 0.5: because" in out.getvalue()
    assert "holds: at most 10" in out.getvalue()
    assert "not reached: at most 25" in out.getvalue()


def test_a_run_beside_others_says_that_rates_are_not_to_be_believed():
    for others, said in ((0.1, False), (0.9, True)):
        out = io.StringIO()
        report.write(of({"a.ratio": 0.6}, others=others), BOUNDS, out)
        assert ("DISTURBED" in out.getvalue()) is said


@pytest.mark.parametrize("bounds", [{}, {"at_least": 1, "at_most": 2}])
def test_a_floor_bounds_one_side(bounds):
    with pytest.raises(ValueError, match="at_least or at_most"):
        floors.Floor("a", "because", **bounds)


def test_every_floor_is_of_a_figure_that_some_part_measures():
    a_round = Round(done=10, seconds=1.0, cpu=1.0, speed=1.0, p50_ms=1.0, p99_ms=1.0)
    variants = [
        charging.Variant("sqlite", 1000, ""),
        charging.Variant("sqlite", 300_000, ""),
        charging.Variant("postgresql", 1000, ""),
        charging.Variant("postgresql", 1000, "", 2),
    ]
    names = [charging.ECHO, charging.REFERENCE, *map(str, variants)]
    measured = set(charging.figures({name: [a_round] for name in names}, variants))
    measured |= set(texts.figures({name: [a_round] for name in (texts.OUT, texts.IN, texts.LINK, texts.SMPP34)}))
    measured |= set(charging.lock_figures([charging.Contestant("two", [], [], [object(), object()], lock_looks=1)]))
    measured |= {sims.FIGURE, proof.FIGURE, *bills.figures({"seconds": 1.0, "peak_mib": 1, "pdfs": 1.0}, 1)}
    measured |= set(month.figures({"closed": {"seconds": 1.0, "peak_mib": 1}}, 1))
    assert set(floors.load()) <= measured
