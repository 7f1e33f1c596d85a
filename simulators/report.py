"""What a PGW did, for people and for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulators.pgw import Pgw


def summary(pgw: Pgw, seconds: float) -> dict[str, object]:
    """Everything that was counted, as a JSON object."""
    counters = pgw.counters
    return {
        "seconds": round(seconds, 3),
        "sessions": {
            "opened": counters.opened,
            "ended": counters.ended,
            "refused": counters.refused,
            "abandoned": counters.abandoned,
            "out_of_credit": counters.out_of_credit,
        },
        "requests": counters.requests,
        "answers": counters.answers,
        "repeated": counters.repeated,
        "asked": dict(sorted(pgw.asked.items())),
        "answers_per_second": round(counters.answers / seconds, 1) if seconds else 0.0,
        "results": {str(code): count for code, count in sorted(counters.results.items())},
        "octets_reported": counters.octets_reported,
        "octets_acknowledged": counters.octets_acknowledged,
        "latency_ms": latency(pgw.latencies),
    }


def latency(seconds: Sequence[float]) -> dict[str, float]:
    """The median, the 99th percentile and the worst, in milliseconds."""
    times = sorted(seconds)
    if not times:
        return {}
    last = len(times) - 1
    return {
        "p50": round(times[last // 2] * 1000, 2),
        "p99": round(times[last * 99 // 100] * 1000, 2),
        "max": round(times[last] * 1000, 2),
    }


def lines(found: dict[str, object]) -> list[str]:
    """The summary as lines for a terminal."""
    rows = []
    for name, value in found.items():
        text = " ".join(f"{key}={item}" for key, item in value.items()) if isinstance(value, dict) else str(value)
        rows.append(f"{name.replace('_', ' '):<20}{text or '-'}")
    return rows


def octets(count: float) -> str:
    """Octets in a unit that fits a status line."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
