"""Rounds that take turns, and what is told of them: medians, ratios of rounds that stood side by side, CPU in turns.

Whatever is compared is measured in the same round, one after the other; each round begins with another one, so that nobody
always comes after the same neighbour. A ratio is taken within each round; the median of the rounds is the figure.
"""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Round:
    """One measurement: so many requests or texts in so many seconds, and the CPU that the server took for them."""

    done: int
    seconds: float
    cpu: float
    """CPU seconds of the server: all threads, all its processes."""
    speed: float
    """Turns a CPU second meanwhile (tests.bench.speed)."""
    p50_ms: float | None = None
    p99_ms: float | None = None
    database_cpu: float | None = None
    """CPU seconds of the database's server, where there is one."""

    @property
    def rate(self):
        """Done a second."""
        return self.done / self.seconds

    @property
    def turns(self):
        """Turns of CPU for each that was done."""
        return self.cpu * self.speed / self.done

    @property
    def database_turns(self):
        """Turns of the database's server for each that was done."""
        return None if self.database_cpu is None else self.database_cpu * self.speed / self.done

    @property
    def all_turns(self):
        """Turns of all that works for it, its database's server included, for each that was done."""
        return self.turns + (self.database_turns or 0.0)

    @property
    def cpu_us(self):
        """Microseconds of CPU for each that was done."""
        return self.cpu / self.done * 1e6

    @property
    def cores(self):
        """How many cores it kept busy."""
        return self.cpu / self.seconds


def interleave(names, rounds):
    """Give (round, name), so that each round has every name once, and each round begins one further on."""
    for number in range(rounds):
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            yield number, name


def median(rounds, figure):
    """The median of a figure of these rounds; None where they do not have it."""
    values = [value for value in (getattr(each, figure) for each in rounds) if value is not None]
    return statistics.median(values) if values else None


def ratio(rounds, others, figure):
    """The median of the ratios of a figure, each to that of the same round."""
    pairs = zip(rounds, others, strict=True)
    return statistics.median(getattr(one, figure) / getattr(other, figure) for one, other in pairs)


def summary(rounds):
    """The medians as they are printed and recorded; `from`, `to` are the slowest and the fastest round."""
    rates = [each.rate for each in rounds]
    figures = {
        "rate": round(statistics.median(rates)),
        "from": round(min(rates)),
        "to": round(max(rates)),
        "turns": _rounded(median(rounds, "turns")),
        "cpu_us": _rounded(median(rounds, "cpu_us"), 1),
        "cores": _rounded(median(rounds, "cores"), 2),
        "p50_ms": _rounded(median(rounds, "p50_ms"), 1),
        "p99_ms": _rounded(median(rounds, "p99_ms"), 1),
        "database_turns": _rounded(median(rounds, "database_turns")),
    }
    return {name: value for name, value in figures.items() if value is not None}


def _rounded(value, digits=None):
    return None if value is None else round(value, digits)
